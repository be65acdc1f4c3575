import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization

from smarthost.certificate.pair import CertificateError, Pair, read_pair
from tests.authority import Authority

NOW = datetime(2026, 11, 1, tzinfo=UTC)
Spoil = Callable[[Authority], object]


def read(authority: Authority) -> Pair:
    return read_pair(authority.certificate, authority.key)


def encrypt(authority: Authority, form: serialization.PrivateFormat) -> None:
    key = serialization.load_pem_private_key(authority.key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"a passphrase")
    authority.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, locked))


def use_a_pipe(authority: Authority) -> None:
    authority.certificate.unlink()
    os.mkfifo(authority.certificate)


def use_a_foreign_key(authority: Authority) -> None:
    authority.ca.issue_cert("other.test").private_key_pem.write_to_path(authority.key)


def use_another_version(authority: Authority) -> None:
    """Say that the certificate is of version 5, which there is not."""
    der = ssl.PEM_cert_to_DER_cert(authority.certificate.read_text())
    changed = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x04", 1)
    authority.certificate.write_text(ssl.DER_cert_to_PEM_cert(changed))


def use_another_kind_of_name(authority: Authority) -> None:
    """Make an x400Address (RFC 5280, section 4.2.1.6) of the name, which no library reads."""
    der = ssl.PEM_cert_to_DER_cert(authority.certificate.read_text())
    changed = der.replace(b"\x82\x09localhost", b"\xa3\x09localhost", 1)
    authority.certificate.write_text(ssl.DER_cert_to_PEM_cert(changed))


def name_it_twice(authority: Authority) -> None:
    """Make a second subjectAltName of the extension that names the authority's key."""
    der = ssl.PEM_cert_to_DER_cert(authority.certificate.read_text())
    changed = der.replace(b"\x06\x03\x55\x1d\x23", b"\x06\x03\x55\x1d\x11", 1)
    authority.certificate.write_text(ssl.DER_cert_to_PEM_cert(changed))


SPOILED: dict[str, tuple[Spoil, str]] = {
    "certificate missing": (lambda a: a.certificate.unlink(), "where the certificate should be"),
    "key missing": (lambda a: a.key.unlink(), "where the private key should be"),
    "no certificate in it": (
        lambda a: a.certificate.write_bytes(a.key.read_bytes()),
        "no certificate in PEM",
    ),
    "no key in it": (
        lambda a: a.key.write_bytes(a.certificate.read_bytes()),
        "no private key in PEM",
    ),
    "certificate cut off": (
        lambda a: a.certificate.write_bytes(a.certificate.read_bytes()[:400]),
        "is damaged",
    ),
    "another version": (use_another_version, "is damaged"),
    "another kind of name": (use_another_kind_of_name, "is damaged"),
    "names twice": (name_it_twice, "is damaged"),
    "key cut off": (
        lambda a: a.key.write_bytes(a.key.read_bytes()[:100]),
        "OpenSSL does not take",
    ),
    "another key": (use_a_foreign_key, "does not belong to the certificate"),
    "passphrase": (
        lambda a: encrypt(a, serialization.PrivateFormat.PKCS8),
        "has a passphrase",
    ),
    "passphrase, older form": (
        lambda a: encrypt(a, serialization.PrivateFormat.TraditionalOpenSSL),
        "has a passphrase",
    ),
    "a pipe": (use_a_pipe, "is no file"),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=list(SPOILED))
def test_what_cannot_be_used_is_refused_in_one_line(
    authority: Authority, spoil: tuple[Spoil, str]
) -> None:
    authority.issue()
    do, words = spoil
    do(authority)
    with pytest.raises(CertificateError, match=words) as refused:
        read(authority)
    assert str(refused.value).count("\n") == 0
    assert str(authority.folder) in str(refused.value)


def test_what_is_wrong_with_both_files_is_told_at_once(authority: Authority) -> None:
    with pytest.raises(CertificateError) as refused:
        read(authority)
    assert len(str(refused.value).splitlines()) == 2


def test_certificate_and_key_may_be_one_file(authority: Authority) -> None:
    authority.issue()
    authority.key.write_bytes(authority.key.read_bytes() + authority.certificate.read_bytes())
    assert read_pair(authority.key, authority.key).names == ("localhost", "127.0.0.1")


def test_nothing_older_than_tls_1_2_is_spoken_and_only_http_names_a_protocol(
    authority: Authority,
) -> None:
    authority.issue()
    pair = read(authority)
    assert pair.http.minimum_version is ssl.TLSVersion.TLSv1_2
    assert pair.smtp.minimum_version is ssl.TLSVersion.TLSv1_2
    assert agreed(authority, pair.http) == "http/1.1"
    assert agreed(authority, pair.smtp) is None


def agreed(authority: Authority, context: ssl.SSLContext) -> str | None:
    """Shake hands in memory and return the protocol that was agreed on."""
    trusting = authority.trusting()
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    assert not waiting
    return client.selected_alpn_protocol()


def test_names_are_compared_as_clients_do(authority: Authority) -> None:
    authority.issue("mail.example.com", "*.portals.example.com", "2001:db8::1")
    pair = read(authority)
    covered = ("mail.example.com", "MAIL.example.com", "a.portals.example.com", "2001:db8:0::1")
    not_covered = ("example.com", "portals.example.com", "a.b.portals.example.com", "192.0.2.1")
    assert all(map(pair.covers, covered))
    assert not any(map(pair.covers, not_covered))


def test_dates_that_clients_refuse_and_an_open_key_are_warnings(authority: Authority) -> None:
    authority.issue(not_before=NOW - timedelta(days=9), not_after=NOW + timedelta(days=9))
    pair = read(authority)
    assert list(pair.warnings(NOW)) == []
    assert pair.days_left(NOW) == 9
    assert pair.days_left(NOW + timedelta(days=10)) == -1
    assert "expired on 2026-11-10" in "".join(pair.warnings(NOW + timedelta(days=10)))
    assert "valid from 2026-10-23" in "".join(pair.warnings(NOW - timedelta(days=10)))
    authority.key.chmod(0o640)
    assert list(read(authority).warnings(NOW)) == []
    authority.key.chmod(0o644)
    assert "chmod o-rwx" in "".join(read(authority).warnings(NOW))


def test_a_certificate_that_names_nobody_is_read_all_the_same(authority: Authority) -> None:
    authority.ca.cert_pem.write_to_path(authority.certificate)
    authority.ca.private_key_pem.write_to_path(authority.key)
    assert read(authority).names == ()
