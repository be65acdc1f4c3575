"""What is wrong with TLS to a PostgreSQL server, in words that name the option of its URL.

The driver reads the files that the URL names as libpq does, and raises what reading or the
handshake raised: a missing file looks like a missing server there.
"""

import ssl
from urllib.parse import parse_qs, urlsplit

from smarthost.secret import Secret

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
# Of X509_verify_cert_error_string(3).
_EXPIRED = 10
_OTHER_NAME = (62, 64)
_LIBRARIES_OF_FILES = ("X509", "PEM", "ASN1")
_NO_AUTHORITY = "root certificate file"
"""The driver's words where the URL names none and the user has none."""


def tls_fault(url: Secret, error: Exception) -> str | None:
    """Return what follows the server's name in a message, None if `error` is of something else."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is refused: {_refused(error)}"
    options = parse_qs(urlsplit(url.reveal()).query)
    if str(error).startswith(_NO_AUTHORITY) and "sslrootcert" not in options:
        return "cannot be verified. Name the file of its certificate's authority with sslrootcert."
    if isinstance(error, OSError):
        for option in _FILES:
            if fault := _unread(options.get(option, [""])[-1]):
                return f"cannot be connected to: {option} names a file that {fault}."
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "no reason").replace("_", " ").lower()
        if error.library in _LIBRARIES_OF_FILES:
            return f"cannot be connected to: sslrootcert, sslcert or sslkey is wrong ({reason})."
        return f"cannot be connected to: TLS has failed ({reason})."
    return None


def _refused(error: ssl.SSLCertVerificationError) -> str:
    words = error.verify_message.rstrip(".")
    if error.verify_code == _EXPIRED:
        return f"{words}. Renew it."
    if error.verify_code in _OTHER_NAME:
        return f"{words}. The host in the URL has to be the one in the certificate."
    return f"{words}. Name the file of its authority with sslrootcert."


def _unread(path: str) -> str | None:
    if not path:
        return None
    try:
        with open(path, "rb"):  # noqa: PTH123 - as the driver does
            return None
    except OSError as error:
        return f"cannot be read: {error.strerror}"
