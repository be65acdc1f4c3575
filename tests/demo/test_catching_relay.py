"""The catching relay as another program's client meets it."""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import pytest

from smarthost.demo.catching_relay import HOST, Login, catching_relay
from smarthost.demo.caught import CaughtMessage
from smarthost.secret import Secret

T = TypeVar("T")
LOGIN = Login("demo", Secret("right"))
FROM, TO = "a@example.com", "b@example.com"
SECONDS = 10.0


class Caught:
    """A relay that runs, and what it has caught."""

    def __init__(self) -> None:
        self.port = 0
        self.messages: list[CaughtMessage] = []

    async def visit(self, work: Callable[[smtplib.SMTP], T], *, password: str = "right") -> T:
        def visited() -> T:
            with smtplib.SMTP(HOST, self.port, timeout=SECONDS) as client:
                client.login("demo", password)
                return work(client)

        return await asyncio.to_thread(visited)


@asynccontextmanager
async def running() -> AsyncIterator[Caught]:
    caught = Caught()
    async with catching_relay(LOGIN, caught.messages.append) as caught.port:
        yield caught


async def dialogue(port: int, sent: bytes) -> list[bytes]:
    """Send everything at once and return the lines that come back."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(sent)
        return (await asyncio.wait_for(reader.read(), SECONDS)).split(b"\r\n")
    finally:
        writer.close()


async def test_a_message_is_caught_as_it_was_sent() -> None:
    body = "Subject: Hello\r\n\r\nOne.\r\n..two\r\n.\r\nthree\r\n"
    async with running() as relay:
        refused = await relay.visit(lambda client: client.sendmail(FROM, [TO, FROM], body))
    assert refused == {}
    [message] = relay.messages
    assert (message.sender, message.recipients) == (FROM, (TO, FROM))
    assert (message.subject, message.text) == ("Hello", "One.\n..two\n.\nthree\n")


async def test_one_connection_may_bring_several_messages() -> None:
    def send(client: smtplib.SMTP) -> None:
        for number in range(3):
            client.sendmail(FROM, [TO], f"Subject: {number}\r\n\r\nx\r\n")

    async with running() as relay:
        await relay.visit(send)
    assert [message.subject for message in relay.messages] == ["0", "1", "2"]


async def test_a_wrong_password_is_refused() -> None:
    async with running() as relay:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            await relay.visit(lambda client: client.noop(), password="wrong")
    assert refused.value.smtp_code == 535


async def test_nothing_is_taken_without_a_login() -> None:
    sent = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nQUIT\r\n"
    async with running() as relay:
        told = await dialogue(relay.port, sent)
    assert [line[:3] for line in told[8:]] == [b"530", b"503", b"503", b"221", b""]


@pytest.mark.parametrize("cut", range(1, 12))
async def test_however_it_is_cut_it_is_read_the_same(cut: int) -> None:
    # "\0demo\0right"
    sent = (
        b"EHLO x\r\nAUTH PLAIN\r\nAGRlbW8AcmlnaHQ=\r\nMAIL FROM:<a@b.example> SIZE=9\r\n"
        b"RCPT TO:<c@d.example>\r\nDATA\r\n..\r\n.\r\nQUIT\r\n"
    )
    async with running() as relay:
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        for start in range(0, len(sent), cut):
            writer.write(sent[start : start + cut])
            await asyncio.sleep(0)
        told = (await asyncio.wait_for(reader.read(), SECONDS)).split(b"\r\n")
        writer.close()
    assert [line[:3] for line in told[8:]] == [
        b"334", b"235", b"250", b"250", b"354", b"250", b"221", b"",
    ]  # fmt: skip
    assert [message.text for message in relay.messages] == [".\n"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"AUTH PLAIN !!!", b"501"),
        (b"AUTH PLAIN AAAA", b"501"),
        (b"AUTH LOGIN", b"504"),
        (b"VRFY a", b"502"),
        (b"\xff\xfe", b"502"),
        (b"", b"502"),
    ],
)
async def test_what_it_does_not_understand_is_answered(line: bytes, code: bytes) -> None:
    async with running() as relay:
        told = await dialogue(relay.port, line + b"\r\nQUIT\r\n")
    assert [answer[:3] for answer in told] == [b"220", code, b"221", b""]


async def test_a_line_without_an_end_is_cut_off() -> None:
    async with running() as relay:
        told = await dialogue(relay.port, b"x" * 20_000)
    assert told[1].startswith(b"500 ")


async def test_a_message_that_is_too_big_is_refused_at_its_end() -> None:
    line = "x" * 998 + "\r\n"

    def send(client: smtplib.SMTP) -> int:
        client.ehlo()
        client.mail(FROM)
        client.rcpt(TO)
        return client.data(line * 10_600)[0]

    async with running() as relay:
        assert await relay.visit(send) == 552
    assert relay.messages == []


async def test_the_end_cuts_connections() -> None:
    async with running() as relay:
        reader, writer = await asyncio.open_connection(HOST, relay.port)
        assert (await reader.readline()).startswith(b"220 ")
    with suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), SECONDS) == b""
    writer.close()
