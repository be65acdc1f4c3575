"""TLS with a relay: how it is asked for, why it failed, what was shown.

Two contexts and no switch between them: one that verifies chain, dates and name, and one for
relays whose settings ask for no TLS, where encryption without proof is better than none. Both
speak TLS 1.2 at least.
"""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from smarthost.clock import MICROSECONDS
from smarthost.smtp.errors import Reason

# X509_V_ERR_…, OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _HAS_EXPIRED = 9, 10
_HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH = 62, 64
_BY_VERIFY_CODE = {
    _NOT_YET_VALID: Reason.EXPIRED,
    _HAS_EXPIRED: Reason.EXPIRED,
    _HOSTNAME_MISMATCH: Reason.WRONG_NAME,
    _IP_ADDRESS_MISMATCH: Reason.WRONG_NAME,
}
# OpenSSL's names; the first of each is what a relay in clear or with TLS 1.1 leads to.
_BY_SSL_REASON = {
    "WRONG_VERSION_NUMBER": Reason.NOT_TLS,
    "UNEXPECTED_MESSAGE": Reason.NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": Reason.NOT_TLS,
    "RECORD_LAYER_FAILURE": Reason.NOT_TLS,
    "HTTP_REQUEST": Reason.NOT_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": Reason.TOO_OLD,
    "UNSUPPORTED_PROTOCOL": Reason.TOO_OLD,
    "VERSION_TOO_LOW": Reason.TOO_OLD,
    "DH_KEY_TOO_SMALL": Reason.TOO_OLD,
}
_SHOWN_LIMIT = 200
_NAMES_LIMIT = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """What a relay's certificate says; verified only where the connection was.

    `subject` and `issuer` are printable and at most 200 characters (RFC 4514). `names` are the
    first 20 that it is made for (RFC 5280, section 4.2.1.6), as printable. `starts_at` and
    `expires_at` are microseconds since the Unix epoch.
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    starts_at: int
    expires_at: int


def verified(ca_file: Path | None = None) -> ssl.SSLContext:
    """Make a context that trusts the machine's authorities, or those of `ca_file` alone.

    Takes some milliseconds of reading files: make it once, and not for each connection. Raises
    `OSError` (`ssl.SSLError`) where `ca_file` cannot be read or holds no certificate.
    """
    context = _context()
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=ca_file)
    return context


def unverified() -> ssl.SSLContext:
    """Make a context that encrypts and believes any certificate."""
    context = _context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def verifies(context: ssl.SSLContext) -> bool:
    """Say whether a handshake with `context` proves who the relay is."""
    return context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED


def reason_of(error: OSError) -> Reason:
    """Say why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _BY_VERIFY_CODE.get(error.verify_code, Reason.UNTRUSTED)
    if isinstance(error, ssl.SSLError):
        return _BY_SSL_REASON.get(error.reason, Reason.TLS_FAILED)
    return Reason.TLS_FAILED


def read_certificate(der: bytes) -> Certificate | None:
    """Read a certificate, or give None where it is not understood."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        return Certificate(
            subject=_shown(certificate.subject),
            issuer=_shown(certificate.issuer),
            names=_names(certificate),
            starts_at=_moment(certificate.not_valid_before_utc),
            expires_at=_moment(certificate.not_valid_after_utc),
        )
    except ValueError:
        return None


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    kind = x509.SubjectAlternativeName
    try:
        found = certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return ()
    named = [
        *found.get_values_for_type(x509.DNSName),
        *map(str, found.get_values_for_type(x509.IPAddress)),
    ]
    return tuple(_printable(name) for name in named[:_NAMES_LIMIT])


def _moment(at: datetime) -> int:
    return int(at.timestamp()) * MICROSECONDS


def _shown(name: x509.Name) -> str:
    return _printable(name.rfc4514_string())


def _printable(text: str) -> str:
    text = text[:_SHOWN_LIMIT]
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _context() -> ssl.SSLContext:
    # Not create_default_context(), which writes the session's keys to SSLKEYLOGFILE.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
