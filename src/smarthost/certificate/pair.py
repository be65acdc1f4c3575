"""Reads a certificate with its private key, and says in plain words why it cannot be used.

Each reading makes contexts of its own, so that a pair that does not fit never touches the one in
force. A key with a passphrase is refused: nobody sits at a service to type it.
"""

import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

_CERTIFICATE_MARK = b"-----BEGIN CERTIFICATE-----"
# PKCS #8 (RFC 7468, section 10), and the older forms with the algorithm's name in front.
_KEY_MARK = b"PRIVATE KEY-----"

# ALPN (RFC 7301): a client that offers protocols is told the one that is spoken here, so that no
# octets of another one are taken for it.
_HTTP_PROTOCOLS = ["http/1.1"]

# What the library raises of these has nothing but `Exception` in common with a `ValueError`.
_NOT_OF_RFC_5280 = (
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class CertificateError(Exception):
    """The certificate or its key cannot be used; one line for each reason, with what to do."""


class _PassphraseError(Exception):
    """OpenSSL asks for a passphrase."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A certificate and its key, ready to be shown."""

    http: ssl.SSLContext
    smtp: ssl.SSLContext
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    """DNS names, perhaps with `*` as their first label, and IP addresses (RFC 9525)."""
    key_file_is_open: bool
    """Whether other users of the machine can read the private key."""

    def days_left(self, now: datetime) -> int:
        """Return the whole days until it expires; negative when it has."""
        return (self.not_after - now).days

    def covers(self, host: str) -> bool:
        """Tell whether a client that asks for `host`, a name or an address, takes this one."""
        try:
            return str(ip_address(host)) in self.names
        except ValueError:
            _, _, parent = host.lower().partition(".")
            return any(name in (host.lower(), f"*.{parent}") for name in self.names)

    def warnings(self, now: datetime) -> Iterator[str]:
        """Give a sentence for everything that does not hinder its use, and should be mended."""
        if now >= self.not_after:
            yield f"It expired on {self.not_after:%Y-%m-%d}: clients refuse it."
        elif now < self.not_before:
            yield f"It is valid from {self.not_before:%Y-%m-%d} on: until then clients refuse it."
        if self.key_file_is_open:
            yield "Other users of this machine can read its private key: chmod o-rwx its file."


def read_pair(certificate: Path, key: Path) -> Pair:
    """Read a certificate with its chain, and its key, in PEM; both may be in one file.

    Raises `CertificateError` with all that is wrong.
    """
    faults = [
        *_faults_of(certificate, "certificate", _CERTIFICATE_MARK),
        *_faults_of(key, "private key", _KEY_MARK),
    ]
    if faults:
        raise CertificateError("\n".join(faults))
    try:
        shown = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = tuple(_names(shown))
        open_to_others = bool(key.stat().st_mode & stat.S_IRWXO)
    except (ValueError, *_NOT_OF_RFC_5280) as error:
        raise CertificateError(f"The certificate in {certificate} is damaged.") from error
    except OSError as error:  # replaced at this moment
        raise CertificateError(f"{error.filename} cannot be read: {error.strerror}.") from error
    return Pair(
        http=_context(certificate, key, _HTTP_PROTOCOLS),
        smtp=_context(certificate, key, []),
        not_before=shown.not_valid_before_utc,
        not_after=shown.not_valid_after_utc,
        names=names,
        key_file_is_open=open_to_others,
    )


def _faults_of(path: Path, what: str, mark: bytes) -> Iterator[str]:
    try:
        # Looked at first: reading a pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            yield f"The {what} {path} is no file."
        elif mark not in path.read_bytes():
            yield f"There is no {what} in PEM in {path}: nothing in it begins with -----BEGIN."
    except FileNotFoundError:
        yield f"There is no file {path}, where the {what} should be."
    except OSError as error:
        yield (
            f"The {what} {path} cannot be read: {error.strerror}. Let the user that runs "
            "Smarthost read it."
        )


def _names(certificate: x509.Certificate) -> Iterator[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from (name.lower() for name in found.get_values_for_type(x509.DNSName))
    yield from map(str, found.get_values_for_type(x509.IPAddress))


def _context(certificate: Path, key: Path, protocols: list[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # RFC 8996 forbids the older ones.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A client of TLS 1.2 could have any number of expensive handshakes in one connection.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if protocols:
        context.set_alpn_protocols(protocols)
    try:
        context.load_cert_chain(certificate, key, password=_refuse_passphrase)
    except _PassphraseError as error:
        raise CertificateError(
            f"The private key in {key} has a passphrase. Store it without one: "
            "openssl pkey -in OLD -out NEW"
        ) from error
    except ssl.SSLError as error:
        raise CertificateError(_meaning(error, certificate, key)) from error
    except OSError as error:
        raise CertificateError(f"{certificate} or {key}: {error.strerror}.") from error
    return context


def _refuse_passphrase() -> str:
    # Without this OpenSSL asks at the terminal, and waits.
    raise _PassphraseError


def _meaning(error: ssl.SSLError, certificate: Path, key: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"The private key in {key} does not belong to the certificate in {certificate}."
    return f"OpenSSL does not take {certificate} with {key}: {error.reason or 'damaged'}."
