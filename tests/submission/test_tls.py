"""TLS at the two doors, and what somebody in between puts before it (T07)."""

import asyncio
import smtplib
import ssl
import time
from pathlib import Path

import pytest

from smarthost.submission.limits import Limits
from tests.submission.served import CONTENT, HOST, MAIL, PATIENCE, SENDER, Service, serving


async def received(service: Service) -> bytes:
    (message,) = await service.messages()
    return (await service.content(message)).partition(b";")[0]


def submit_behind_starttls(service: Service, trusting: ssl.SSLContext) -> None:
    with smtplib.SMTP("127.0.0.1", service.port, timeout=PATIENCE) as client:
        client._host = HOST  # type: ignore[attr-defined]  # what the certificate is checked for
        client.ehlo("a")
        assert client.has_extn("starttls")
        client.starttls(context=trusting)
        assert client.docmd("MAIL", f"FROM:<{SENDER}>") == (503, b"5.5.1 Say EHLO first")
        client.login("app", service.key)
        assert not client.has_extn("starttls")
        assert client.sendmail(SENDER, ["anna@example.net"], CONTENT) == {}


async def test_a_message_comes_behind_starttls(
    tmp_path: Path, certificate: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with serving(tmp_path, certificate=lambda: certificate) as service:
        # asyncio's own streams do not start TLS reliably with Python 3.11.
        await asyncio.to_thread(submit_behind_starttls, service, trusting)
        assert b"with ESMTPSA id" in await received(service)


async def test_a_message_comes_with_tls_from_the_first_octet(
    tmp_path: Path, certificate: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with serving(tmp_path, certificate=lambda: certificate) as service:
        async with service.connected(tls=trusting) as client:
            told = await client.ask(b"EHLO a\r\n")
            assert "STARTTLS" not in told
            assert "AUTH PLAIN LOGIN" in told
            assert (await client.log_in(service.key)).startswith("235 ")
            assert (await client.submit()).startswith("250 ")
        assert b"with ESMTPSA id" in await received(service)


@pytest.mark.parametrize(
    "behind", [b"EHLO evil\r\n", MAIL + b"RCPT TO:<eve@example.org>\r\n", b"\r\n", b"x"]
)
async def test_commands_behind_starttls_are_not_run(
    tmp_path: Path, certificate: ssl.SSLContext, behind: bytes
) -> None:
    async with serving(tmp_path, certificate=lambda: certificate) as service:
        async with service.connected() as client:
            await client.ask(b"EHLO a\r\n")
            client.send(b"STARTTLS\r\n" + behind)
            told = await client.rest()
        assert told == "554 5.5.0 Something followed STARTTLS before TLS was there\r\n"


async def test_commands_in_place_of_a_handshake_are_not_run(
    tmp_path: Path, certificate: ssl.SSLContext
) -> None:
    begun = serving(tmp_path, certificate=lambda: certificate)
    async with begun as service, service.connected() as client:
        await client.ask(b"EHLO a\r\n", b"STARTTLS\r\n")
        client.send(b"EHLO evil\r\nMAIL FROM:<>\r\n")
        async with asyncio.timeout(PATIENCE):
            octets = await client.reader.read()
        assert b"250" not in octets


async def test_a_handshake_that_does_not_come_is_not_waited_for(
    tmp_path: Path, certificate: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    limits = Limits(command_seconds=0.3)
    async with serving(tmp_path, limits, certificate=lambda: certificate) as service:
        silent = await asyncio.open_connection("127.0.0.1", service.tls_port)
        async with service.connected() as client:
            await client.ask(b"EHLO a\r\n", b"STARTTLS\r\n")
            async with asyncio.timeout(5):
                assert await client.reader.read() == b""
                assert await silent[0].read() == b""
        silent[1].transport.abort()
        # The door was open to others all the time.
        async with service.connected(tls=trusting) as client:
            assert (await client.log_in(service.key)).startswith("235 ")


async def test_without_a_certificate_the_door_for_tls_says_nothing_in_clear(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.tls_port)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.transport.abort()


async def test_a_stop_does_not_wait_for_a_handshake(
    tmp_path: Path, certificate: ssl.SSLContext
) -> None:
    async with serving(tmp_path, certificate=lambda: certificate) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.tls_port)
        async with service.connected():
            pass  # who came before has been taken, too
        began = time.monotonic()
        await service.listener.stop()
        assert time.monotonic() - began < 2
        assert await reader.read() == b""
        writer.transport.abort()


async def test_a_last_reply_comes_through_tls(
    tmp_path: Path, certificate: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with serving(tmp_path, certificate=lambda: certificate) as service:
        async with service.connected(tls=trusting) as client:
            client.send(b"EHLO a\nNOOP\r\n")
            told = await client.rest()
        assert told.startswith("500 5.5.2 Lines end in CRLF")
