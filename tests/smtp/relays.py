"""Relays that do what a script says: real servers on a free port of loopback."""

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trustme

from smarthost.clock import SystemClock
from smarthost.smtp.client import Client
from smarthost.smtp.reply import Reply
from smarthost.smtp.transaction import Transaction
from tests.authority import showing

HOST = "relay.example.com"
TLS_PORT = 2465  # TLS from the first byte is a matter of the port
SECONDS = 10.0  # a test that hangs fails sooner than the suite's own limit


class Peer:
    """The relay's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.lines: list[bytes] = []

    async def say(self, *lines: str) -> None:
        await self.send("".join(f"{line}\r\n" for line in lines).encode())

    async def send(self, data: bytes) -> None:
        # Each loop says something else of a transport that has closed by itself.
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, beginning: str = "") -> str:
        """Read one command; gives what follows `beginning`."""
        line = await self.reader.readuntil(b"\r\n")
        self.lines.append(line)
        text = line.decode()[:-2]
        assert text.startswith(beginning), text
        return text.removeprefix(beginning)

    async def hear_line(self) -> bytes:
        return await self.reader.readuntil(b"\r\n")

    async def hear_message(self) -> bytes:
        return await self.reader.readuntil(b"\r\n.\r\n")

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context)

    async def greet(self, *keywords: str) -> None:
        await self.say(f"220 {HOST} ESMTP")
        await self.answer_ehlo(*keywords)

    async def answer_ehlo(self, *keywords: str) -> None:
        await self.hear("EHLO ")
        lines = [HOST, *keywords]
        await self.say(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")

    async def forget(self) -> None:
        """Be told to forget a message that has begun, and to end: so does a check."""
        assert await self.hear("RSET") == ""
        await self.say("250 2.0.0 Ok")
        assert await self.hear("QUIT") == ""
        await self.say("221 2.0.0 Bye")

    async def is_left(self) -> bool:
        """Wait for the client to close; false where it says something instead."""
        try:
            return await self.reader.read(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True


Script = Callable[[Peer], Awaitable[None]]


class Relay:
    """A running relay. `peers` are the connections it has had, in order."""

    def __init__(self, script: Script) -> None:
        self.port = 0
        self.peers: list[Peer] = []
        self.faults: list[BaseException] = []
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        task = asyncio.ensure_future(self._run(peer))
        self._tasks.add(task)
        try:
            await asyncio.wait({task})
        finally:
            writer.transport.abort()  # where the script was cancelled before it began, too

    async def _run(self, peer: Peer) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                await self._script(peer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client has gone, which many tests are about
        except Exception as error:  # noqa: BLE001 - told by finished()
            self.faults.append(error)

    async def finished(self) -> None:
        """Wait for all scripts; raises what went wrong in them."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.faults:
            raise self.faults[0]


@asynccontextmanager
async def relay(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Relay]:
    """Run a relay; at the end every script has to have come to its own."""
    running = Relay(script)
    server = await asyncio.start_server(running.serve, host, port, ssl=tls)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
        await running.finished()
    finally:
        server.close()
        for task in list(running._tasks):
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                await asyncio.gather(*running._tasks, return_exceptions=True)


def free_tls_address() -> str:
    """Return an address of loopback whose port for TLS from the first byte is free."""
    for _ in range(100):
        address = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        with suppress(OSError), socket.create_server((address, TLS_PORT)):
            return address
    pytest.skip(f"no address of loopback has port {TLS_PORT} to give")


async def connected(relay: Relay, *, seconds: float = SECONDS) -> Client:
    return await connected_to(relay.port, seconds=seconds)


async def connected_to(port: int, *, seconds: float = SECONDS) -> Client:
    clock = SystemClock()
    deadline = clock.monotonic() + seconds
    return await Client.connect("127.0.0.1", port, clock=clock, deadline=deadline)


async def greeted(relay: Relay) -> Client:
    client = await connected(relay)
    await client.greeting()
    await client.ehlo("client.example.com")
    return client


async def asked(client: Client) -> Reply:
    """Ask for one thing."""
    return await client.transaction("a@example.com", []).mail_from()


async def named(client: Client, *recipients: str) -> Transaction:
    """Begin a message up to DATA."""
    message = client.transaction("a@example.com", recipients or ["b@example.com"])
    await message.mail_from()
    await message.rcpt_to()
    return message


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that nothing but the network brings about."""
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


def server_context(
    ca: trustme.CA, name: str = HOST, *, certificate: trustme.LeafCert | None = None
) -> ssl.SSLContext:
    return showing(certificate or ca.issue_cert(name))
