"""Submits messages over SMTP as fast as they are taken: a process of its own, started by `relay`.

Every session logs in with AUTH PLAIN first and then sends message after message: MAIL, RCPT and
DATA together, as RFC 2920 allows and both sides offer, the content once 354 has come, and the next
message once the last has its 250. All octets are made beforehand, so that little is left to do but
writing and waiting. Prints what it saw as one line of JSON.
"""

import asyncio
import base64
import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import cast

import msgspec
import uvloop

SENDER = "notify@example.com"
SECONDS = 300.0
"""How long a run may take at the most."""

_LINE = b"All work and no play makes a dull benchmark of every queue, dull indeed.\r\n"
_DOTTED = b"...and a line that begins with dots, as some do in every language.\r\n"
_GREETING, _EHLO, _LOGIN, _READY, _ENVELOPE, _CONTENT, _QUIT = range(7)
_EXPECTED = {
    _GREETING: [b"220"],
    _EHLO: [b"250"],
    _LOGIN: [b"235"],
    _ENVELOPE: [b"250", b"250", b"354"],
    _CONTENT: [b"250"],
    _QUIT: [b"221"],
}


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be submitted; comes as JSON on standard input."""

    port: int
    user_name: str
    passwords: list[str]
    """Each session takes the next one."""
    sessions: int
    messages: int
    octets: int
    """Of each message."""
    first: int
    """The serial number of the first message."""


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """What the generator saw, in seconds; moments are of the monotonic clock of all processes."""

    first_mail: float
    last_reply: float
    cpu: float


def recipient(serial: int) -> str:
    """Return whom the message with this number is for."""
    return f"reader{serial}@example.org"


def message(serial: int, octets: int) -> bytes:
    """Return a message of so many octets, unlike all with other numbers, with CRLF line ends."""
    head = (
        f"X-Benchmark: {serial}\r\nFrom: Notices <{SENDER}>\r\nTo: {recipient(serial)}\r\n"
        f"Subject: Notice {serial}\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{serial}@example.com>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=us-ascii\r\n\r\nNumber {serial}.\r\n"
    ).encode()
    text = (_DOTTED + _LINE * 12) * (octets // (len(_LINE) * 12) + 1)
    return head + text[: octets - len(head) - 2] + b"\r\n"


def main() -> None:
    """Do as standard input says."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    print(msgspec.json.encode(uvloop.run(_submit(order))).decode())


async def _submit(order: Order) -> Submitted:
    run = _Run(order)
    loop = asyncio.get_running_loop()
    began = time.process_time()
    async with asyncio.timeout(SECONDS):
        sessions = []
        for number in range(order.sessions):
            password = order.passwords[number % len(order.passwords)]
            _, session = await loop.create_connection(
                partial(_Session, order, password, run), "127.0.0.1", order.port
            )
            sessions.append(session)
        await asyncio.gather(*(session.logged_in for session in sessions))
        first_mail = time.monotonic()
        for session in sessions:
            session.send_next()
        await asyncio.gather(*(session.ended for session in sessions))
    return Submitted(
        first_mail=first_mail, last_reply=run.last_reply, cpu=time.process_time() - began
    )


class _Run:
    """What the sessions share: the messages that are left, ready for the wire."""

    def __init__(self, order: Order) -> None:
        serials = range(order.first, order.first + order.messages)
        self.left: Iterator[tuple[bytes, bytes]] = iter(
            [(_envelope(serial), _content(serial, order.octets)) for serial in serials]
        )
        self.last_reply = 0.0


def _envelope(serial: int) -> bytes:
    return b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (
        SENDER.encode(),
        recipient(serial).encode(),
    )


def _content(serial: int, octets: int) -> bytes:
    return message(serial, octets).replace(b"\r\n.", b"\r\n..") + b".\r\n"


class _Session(asyncio.Protocol):
    def __init__(self, order: Order, password: str, run: _Run) -> None:
        loop = asyncio.get_running_loop()
        self.logged_in: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        initial = base64.b64encode(f"\0{order.user_name}\0{password}".encode())
        self._login = b"AUTH PLAIN %s\r\n" % initial
        self._run = run
        self._state = _GREETING
        self._expected = list(_EXPECTED[_GREETING])
        self._content = b""
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._state != _QUIT:
            self._fail(f"The connection ended early: {exc}")
        elif not self.ended.done():
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        lines = (self._rest + data).split(b"\r\n")
        self._rest = lines.pop()
        for line in lines:
            if line[3:4] == b"-":  # a reply of several lines is as good as its last
                continue
            if not self._expected or line[:3] != self._expected.pop(0):
                self._fail(f"Not expected: {line.decode(errors='replace')}")
                return
            if not self._expected:
                self._go_on()

    def _go_on(self) -> None:
        if self._state == _ENVELOPE:
            self._say(_CONTENT, self._content)
        elif self._state == _CONTENT:
            self._run.last_reply = time.monotonic()
            self.send_next()
        elif self._state == _GREETING:
            self._say(_EHLO, b"EHLO client.example.com\r\n")
        elif self._state == _EHLO:
            self._say(_LOGIN, self._login)
        elif self._state == _LOGIN:
            self._state = _READY
            self.logged_in.set_result(None)
        else:
            self._transport.close()

    def send_next(self) -> None:
        """Begin the next message, or end the session where none is left."""
        envelope, self._content = next(self._run.left, (b"", b""))
        if envelope:
            self._say(_ENVELOPE, envelope)
        else:
            self._say(_QUIT, b"QUIT\r\n")

    def _say(self, state: int, octets: bytes) -> None:
        self._state = state
        self._expected = list(_EXPECTED[state])
        self._transport.write(octets)

    def _fail(self, why: str) -> None:
        for future in (self.logged_in, self.ended):
            if not future.done():
                future.set_exception(RuntimeError(why))
        self._transport.abort()


if __name__ == "__main__":
    main()
