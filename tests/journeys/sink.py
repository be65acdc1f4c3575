"""A relay that takes mail as fast as it comes and writes down who brought what.

It runs in a thread of the test's own process, so that no kill of the service touches its record.
"""

import asyncio
import base64
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, cast

import uvloop

PATIENCE = 60.0
_END = b"\r\n.\r\n"
_OK = b"250 2.0.0 Ok\r\n"


class Taken(NamedTuple):
    """A message that was taken, written down before the 250 is said."""

    connection: int
    """Counted from 1 in the order in which they came."""
    login: str
    """The user's name; empty without a login."""
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    """With CRLF at the end of each line, and without the dots that SMTP adds."""


class Sink:
    """What a relay has taken, and whom it lets in."""

    def __init__(
        self, accounts: Mapping[str, str] = {}, pause: Callable[[], float] | None = None
    ) -> None:
        """Take mail of `accounts` (user names and passwords) only, or of everybody without any.

        `pause` tells how many seconds pass between a message and its 250.
        """
        self.port = 0
        self.accounts = dict(accounts)
        self.pause = pause
        self.taken: list[Taken] = []
        self.refused_logins = 0
        self.connections = 0
        self._news = threading.Condition()

    def write_down(self, taken: Taken) -> None:
        with self._news:
            self.taken.append(taken)
            self._news.notify_all()

    def wait_for(self, count: int, patience: float = PATIENCE) -> list[Taken]:
        """Return what was taken, once there are so many messages."""
        with self._news:
            came = self._news.wait_for(lambda: len(self.taken) >= count, patience)
        assert came, f"{len(self.taken)} of {count} messages came"
        return list(self.taken)


class _Session(asyncio.Protocol):
    def __init__(self, sink: Sink, transports: "set[asyncio.Transport]") -> None:
        self._sink = sink
        self._transports = transports
        self._buffer = bytearray()
        self._searched = 0
        self._in_data = False
        self._login = self._sender = ""
        self._recipients: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sink.connections += 1
        self._number = self._sink.connections
        self._transports.add(self._transport)
        self._transport.write(b"220 sink.example.com ESMTP\r\n")

    def connection_lost(self, _exc: Exception | None) -> None:
        self._transports.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._find(_END if self._in_data else b"\r\n")) is not None:
            heard = bytes(self._buffer[:end])
            del self._buffer[:end]
            if self._in_data:
                self._take(heard)
            else:
                self._transport.write(self._answer(heard[:-2].decode()))

    def _find(self, wanted: bytes) -> int | None:
        at = self._buffer.find(wanted, max(0, self._searched - len(wanted)))
        self._searched = len(self._buffer) if at < 0 else 0
        return None if at < 0 else at + len(wanted)

    def _answer(self, line: str) -> bytes:
        verb, _, rest = line.partition(" ")
        match verb.upper():
            case "EHLO":
                login = b"250-AUTH PLAIN\r\n" if self._sink.accounts else b""
                return (
                    b"250-sink.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n" + login
                    + b"250 SIZE 100000000\r\n"
                )  # fmt: skip
            case "AUTH":
                return self._log_in(rest.removeprefix("PLAIN "))
            case "MAIL" if self._sink.accounts and not self._login:
                return b"530 5.7.0 Authentication required\r\n"
            case "MAIL":
                self._sender, self._recipients = _path(rest), []
            case "RCPT":
                self._recipients.append(_path(rest))
            case "DATA":
                self._in_data = True
                return b"354 Go on\r\n"
            case "QUIT":
                self._transport.write(b"221 2.0.0 Bye\r\n")
                self._transport.close()
                return b""
        return _OK

    def _log_in(self, response: str) -> bytes:
        _, user, password = base64.b64decode(response).decode().split("\0")
        if self._sink.accounts.get(user) != password:
            self._sink.refused_logins += 1
            return b"535 5.7.8 Authentication failed\r\n"
        self._login = user
        return b"235 2.7.0 Welcome\r\n"

    def _take(self, heard: bytes) -> None:
        self._in_data = False
        content = (b"\r\n" + heard[: -len(_END) + 2]).replace(b"\r\n.", b"\r\n")[2:]
        self._sink.write_down(
            Taken(self._number, self._login, self._sender, tuple(self._recipients), content)
        )
        if self._sink.pause is None:
            self._transport.write(_OK)
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(self._sink.pause(), self._say_ok)

    def _say_ok(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_OK)


def _path(words: str) -> str:
    """Return the address of `FROM:<a@example.com> SIZE=1`."""
    return words.partition("<")[2].partition(">")[0]


@contextlib.contextmanager
def running_sink(
    accounts: Mapping[str, str] = {},
    pause: Callable[[], float] | None = None,
    port: int = 0,
) -> Iterator[Sink]:
    """Run a sink on a port of loopback, a free one if nothing is said."""
    sink = Sink(accounts, pause)
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sink", daemon=True)
    transports: set[asyncio.Transport] = set()
    thread.start()

    async def listen() -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(
            lambda: _Session(sink, transports), "127.0.0.1", port
        )

    async def leave(server: asyncio.Server) -> None:
        server.close()
        for transport in transports:
            transport.abort()
        async with asyncio.timeout(PATIENCE):
            while transports:  # noqa: ASYNC110 - each is lost in one of the loop's next turns
                await asyncio.sleep(0)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(PATIENCE)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        asyncio.run_coroutine_threadsafe(leave(server), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


@contextlib.contextmanager
def dead_port() -> Iterator[int]:
    """Give a port of loopback that refuses connections for as long as this lasts."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def until(true: Callable[[], bool], patience: float = PATIENCE) -> float:
    """Wait for what only other processes bring about; return the seconds that it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + patience, "it never came about"
        time.sleep(0.01)
    return time.monotonic() - began
