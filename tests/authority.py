"""Certificates of an authority that a test trusts: in files as an operator has them, and as what
servers and clients need.
"""

import socket
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme


@dataclass(frozen=True, kw_only=True)
class Authority:
    """An authority and the two files that hold the certificate it issued last."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def certificate(self) -> Path:
        return self.folder / "fullchain.pem"

    @property
    def key(self) -> Path:
        return self.folder / "privkey.pem"

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def issue(
        self, *names: str, not_before: datetime | None = None, not_after: datetime | None = None
    ) -> trustme.LeafCert:
        """Issue a certificate for `names`, by default this machine's, and put it in the files."""
        issued = self.ca.issue_cert(
            *(names or ("localhost", "127.0.0.1")), not_before=not_before, not_after=not_after
        )
        self.ca.cert_pem.write_to_path(self.ca_file)
        self.certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(self.key)
        self.key.chmod(0o600)
        return issued

    def issue_expired(self, *names: str) -> trustme.LeafCert:
        """Issue one whose time was over long ago."""
        return self.issue(
            *names,
            not_before=datetime(2020, 1, 1, tzinfo=UTC),
            not_after=datetime(2021, 1, 1, tzinfo=UTC),
        )

    def settings(self) -> dict[str, str]:
        """What makes the service show it."""
        return {
            "SMARTHOST_TLS_CERTIFICATE_FILE": str(self.certificate),
            "SMARTHOST_TLS_KEY_FILE": str(self.key),
        }

    def trusting(self) -> ssl.SSLContext:
        return trusting(self.ca)


def showing(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """What a server needs to show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    """What a client needs that trusts this authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(context)
    return context


def trust_everywhere(ca: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the authority one of the machine's own, by a file in `folder`."""
    file = folder / "authorities.pem"
    ca.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


def shown_serial(port: int, context: ssl.SSLContext) -> str:
    """Shake hands and return the serial number of what was shown."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        shown = secured.getpeercert()
        assert shown is not None
        return str(shown["serialNumber"])
