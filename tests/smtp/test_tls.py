"""TLS before the greeting and after STARTTLS: what is proved, what is refused and why."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from smarthost.smtp import tls
from smarthost.smtp.client import Client
from smarthost.smtp.data import Content
from smarthost.smtp.errors import (
    ProtocolError,
    Reason,
    RefusedError,
    SmtpError,
    StartTlsInjectionError,
    TimedOutError,
    TlsError,
)
from smarthost.smtp.extensions import Extensions
from tests.smtp.relays import (
    HOST,
    SECONDS,
    Peer,
    Script,
    asked,
    connected,
    connected_to,
    greeted,
    named,
    relay,
    server_context,
)


def starting(then: Script, *, offer: bool = True, after: str = "") -> Script:
    """Greet, hear STARTTLS, say 220 and what comes `after` it, and go on."""

    async def script(peer: Peer) -> None:
        await peer.greet(*(["STARTTLS", "AUTH LOGIN"] if offer else []))
        await peer.hear("STARTTLS")
        await peer.send(f"220 Go ahead\r\n{after}".encode())
        await then(peer)

    return script


async def left(peer: Peer) -> None:
    assert await peer.is_left()


def in_tls(context: ssl.SSLContext, then: Script = left) -> Script:
    async def script(peer: Peer) -> None:
        await peer.start_tls(context)
        await then(peer)

    return script


async def test_starttls_proves_the_relay_and_forgets_what_was_said_before(
    ca: trustme.CA, trusting: ssl.SSLContext
) -> None:
    async def then(peer: Peer) -> None:
        await peer.answer_ehlo("AUTH PLAIN")
        await left(peer)

    async with relay(starting(in_tls(server_context(ca), then))) as running:
        client = await greeted(running)
        assert client.extensions.auth == ("LOGIN",)
        await client.start_tls(trusting, HOST)
        assert client.extensions == Extensions()
        assert (await client.ehlo("client.example.com")).auth == ("PLAIN",)
        assert client.tls_verified
        assert client.tls_version == "TLSv1.3"
        assert client.cipher
        certificate = client.certificate
        assert certificate is not None
        assert "trustme" in certificate.subject
        assert "Testing CA" in certificate.issuer
        client.close()


async def test_tls_comes_first_where_that_is_asked_for(
    ca: trustme.CA, trusting: ssl.SSLContext
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("PIPELINING")
        await left(peer)

    async with relay(script, tls=server_context(ca)) as running:
        client = await connected(running)
        await client.implicit_tls(trusting, HOST)
        await client.greeting()
        assert (await client.ehlo("client.example.com")).pipelining
        assert client.tls_verified
        client.close()


async def test_an_ip_address_is_verified_too(ca: trustme.CA, trusting: ssl.SSLContext) -> None:
    async with relay(left, tls=server_context(ca, "127.0.0.1")) as running:
        client = await connected(running)
        await client.implicit_tls(trusting, "127.0.0.1")
        assert client.tls_verified
        client.close()


async def test_without_verification_any_certificate_will_do() -> None:
    async with relay(left, tls=server_context(trustme.CA(), "other.example")) as running:
        client = await connected(running)
        await client.implicit_tls(tls.unverified(), HOST)
        assert client.tls_version
        assert not client.tls_verified
        assert client.certificate is not None
        client.close()


def expired(ca: trustme.CA) -> ssl.SSLContext:
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return server_context(ca, certificate=ca.issue_cert(HOST, not_before=past, not_after=past))


def not_yet_valid(ca: trustme.CA) -> ssl.SSLContext:
    future = dt.datetime(2998, 1, 1, tzinfo=dt.UTC)
    return server_context(ca, certificate=ca.issue_cert(HOST, not_before=future))


def wrong_name(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca, "other.example.com")


def wrong_address(ca: trustme.CA) -> ssl.SSLContext:
    return server_context(ca, "127.0.0.2")


def unknown_authority(_ca: trustme.CA) -> ssl.SSLContext:
    return server_context(trustme.CA())


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (expired, Reason.EXPIRED),
        (not_yet_valid, Reason.EXPIRED),
        (wrong_name, Reason.WRONG_NAME),
        (wrong_address, Reason.WRONG_NAME),
        (unknown_authority, Reason.UNTRUSTED),
    ],
)
@pytest.mark.parametrize("implicit", [True, False])
async def test_a_certificate_that_proves_nothing_ends_the_session(
    ca: trustme.CA,
    trusting: ssl.SSLContext,
    shown: Callable[[trustme.CA], ssl.SSLContext],
    reason: Reason,
    implicit: bool,
) -> None:
    context = shown(ca)
    script = in_tls(context) if implicit else starting(in_tls(context))
    name = "127.0.0.1" if shown is wrong_address else HOST
    async with relay(script) as running:
        if implicit:
            client = await connected(running)
            handshake = client.implicit_tls(trusting, name)
        else:
            client = await greeted(running)
            handshake = client.start_tls(trusting, name)
        with pytest.raises(TlsError) as caught:
            await handshake
        assert caught.value.reason is reason
        assert not client.usable
        assert not client.tls_verified
        with pytest.raises(SmtpError):
            await client.ehlo("client.example.com")


def answer_once(server: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands as most servers do: where it fails they say why, and asyncio's own does not."""
    connection, _ = server.accept()
    with connection, suppress(OSError):
        connection.settimeout(SECONDS)
        context.wrap_socket(connection, server_side=True).close()


async def test_old_tls_is_refused(ca: trustme.CA, trusting: ssl.SSLContext) -> None:
    old = server_context(ca)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SECONDS)
        answering = asyncio.create_task(asyncio.to_thread(answer_once, server, old))
        client = await connected_to(server.getsockname()[1])
        with pytest.raises(TlsError) as caught:
            await client.implicit_tls(trusting, HOST)
        assert caught.value.reason is Reason.TOO_OLD
        await answering


@pytest.mark.parametrize(
    "text", ["220 mail.example.com ESMTP\r\n", "HTTP/1.1 400 Bad\r\n\r\n", "x" * 99]
)
@pytest.mark.parametrize("pause", [0.0, 0.1])
async def test_words_in_clear_where_tls_comes_first_are_no_tls(
    trusting: ssl.SSLContext, text: str, pause: float
) -> None:
    async def script(peer: Peer) -> None:
        await asyncio.sleep(pause)
        await peer.send(text.encode())
        await silent(peer)

    async with relay(script) as running:
        client = await connected(running)
        if not pause:
            await asyncio.sleep(0.05)
        with pytest.raises(TlsError) as caught:
            await client.implicit_tls(trusting, HOST)
        assert caught.value.reason is Reason.NOT_TLS


async def test_tls_where_words_in_clear_come_first_is_no_smtp(ca: trustme.CA) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(b"\x16\x03\x03\x00\x05hello\n")
        await left(peer)

    async with relay(script) as running:
        client = await connected(running)
        with pytest.raises(ProtocolError):
            await client.greeting()


@pytest.mark.parametrize(
    "after", ["250-AUTH LOGIN\r\n250 OK\r\n", "2", "\n", "250 x\n", "\x16\x03\x03", "x" * 5000]
)
async def test_words_in_clear_behind_the_220_are_an_attack(
    trusting: ssl.SSLContext, after: str
) -> None:
    heard: list[bool] = []

    async def script(peer: Peer) -> None:
        heard.append(await peer.is_left())

    async with relay(starting(script, after=after)) as running:
        client = await greeted(running)
        with pytest.raises(StartTlsInjectionError):
            await client.start_tls(trusting, HOST)
        assert not client.usable
        await running.finished()
        # Not even a ClientHello.
        assert heard == [True]


async def test_words_in_clear_a_little_later_do_not_get_in_either(
    trusting: ssl.SSLContext,
) -> None:
    async def script(peer: Peer) -> None:
        await asyncio.sleep(0.05)
        await peer.say("250-AUTH LOGIN", "250 OK")
        await peer.reader.read()

    async with relay(starting(script)) as running:
        client = await greeted(running)
        with pytest.raises(SmtpError) as caught:
            await client.start_tls(trusting, HOST)
        assert caught.value.reason in {Reason.NOT_TLS, Reason.INJECTED}
        assert not client.usable


@pytest.mark.parametrize("answer", ["454 4.7.0 Not now", "502 5.5.1 Not here"])
async def test_a_refusal_of_starttls_leaves_the_session_in_clear(
    trusting: ssl.SSLContext, answer: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.greet("STARTTLS")
        await peer.hear("STARTTLS")
        await peer.say(answer)
        await peer.hear("MAIL")
        await peer.say("250 Ok", "250 And more")
        await left(peer)

    async with relay(script) as running:
        client = await greeted(running)
        with pytest.raises(RefusedError) as caught:
            await client.start_tls(trusting, HOST)
        assert caught.value.reply.text == answer
        assert client.usable
        await asked(client)
        # What comes unasked is an injection no more.
        with pytest.raises(ProtocolError):
            await asked(client)


async def test_a_relay_that_stalls_the_handshake_is_left(trusting: ssl.SSLContext) -> None:
    async with relay(starting(silent)) as running:
        client = await greeted(running)
        client.deadline = asyncio.get_running_loop().time() + 0.1
        with pytest.raises(TimedOutError):
            await client.start_tls(trusting, HOST)
        assert not client.usable


async def silent(peer: Peer) -> None:
    while await peer.reader.read(1000):
        pass


async def test_a_relay_that_closes_in_the_handshake_has_failed_it(
    trusting: ssl.SSLContext,
) -> None:
    async def close(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.writer.close()

    async with relay(starting(close)) as running:
        client = await greeted(running)
        with pytest.raises(TlsError) as caught:
            await client.start_tls(trusting, HOST)
        assert caught.value.reason is Reason.TLS_FAILED


async def test_a_cancelled_handshake_leaves_no_connection_behind(
    trusting: ssl.SSLContext,
) -> None:
    async with relay(starting(silent)) as running:
        client = await greeted(running)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.start_tls(trusting, HOST)
        assert not client.usable
        await running.finished()


async def test_a_message_goes_out_through_tls(ca: trustme.CA, trusting: ssl.SSLContext) -> None:
    content = (b"x" * 70 + b"\r\n") * 20_000

    async def then(peer: Peer) -> None:
        await peer.answer_ehlo("PIPELINING")
        for answer in ("250 Ok", "250 Ok", "354 Go"):
            await peer.hear()
            await peer.say(answer)
        assert await peer.reader.readexactly(len(content) + 3) == content + b".\r\n"
        await peer.say("250 Ok")
        await peer.hear("QUIT")
        await peer.say("221 Bye")
        await left(peer)

    async with relay(starting(in_tls(server_context(ca), then))) as running:
        client: Client = await greeted(running)
        await client.start_tls(trusting, HOST)
        await client.ehlo("client.example.com")
        message = await named(client)
        assert (await message.data(Content(content))).code == 250
        await client.quit()


def test_contexts_are_what_they_say() -> None:
    assert tls.verifies(tls.verified())
    assert not tls.verifies(tls.unverified())
    for context in (tls.verified(), tls.unverified()):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_file_of_authorities_stands_alone(ca_file: Path) -> None:
    assert len(tls.verified(ca_file).get_ca_certs()) == 1


def test_a_file_that_holds_no_certificate_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        tls.verified(tmp_path / "missing.pem")
    empty = tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(ssl.SSLError):
        tls.verified(empty)


def test_keys_of_a_session_are_not_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert tls.verified().keylog_filename is None


def made(*names: x509.GeneralName, subject: str = HOST) -> tls.Certificate:
    """What is read of a certificate that was made with these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(key, hashes.SHA256())
    certificate = tls.read_certificate(signed.public_bytes(serialization.Encoding.DER))
    assert certificate is not None
    return certificate


def test_a_certificate_tells_its_names_and_dates() -> None:
    address = x509.IPAddress(ipaddress.ip_address("192.0.2.25"))
    certificate = made(x509.DNSName("a.example.com"), address, x509.RFC822Name("a@example.com"))
    assert certificate.names == ("a.example.com", "192.0.2.25")
    assert (certificate.subject, certificate.issuer) == (f"CN={HOST}", f"CN={HOST}")
    assert certificate.starts_at == 1_767_323_045_000_000
    assert certificate.expires_at == 253_402_300_799_000_000


def test_a_certificate_without_names_has_none() -> None:
    assert made().names == ()


def test_what_a_certificate_tells_is_printable_and_bounded() -> None:
    names = [x509.DNSName(f"{number}\x1b.example.com") for number in range(50)]
    certificate = made(*names, x509.DNSName("x" * 300), subject="\x1b[2J")
    assert len(certificate.names) == 20
    assert certificate.names[0] == "0\ufffd.example.com"
    assert certificate.subject.isprintable()


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x03\x02\x01\x01", b"x" * 1000])
def test_a_certificate_that_is_none_is_none(der: bytes) -> None:
    assert tls.read_certificate(der) is None
