"""A relay as it should be, in pieces that a hostile one can put others in the place of.

It reads to the end of each connection, so that nothing said to it goes unseen.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import trustme

from tests.authority import showing

NAME = "localhost"
NOTHING = b".\r\n"
"""A message without any octet, with its end."""
_NOTED = 4_000  # octets of what a relay says at once, which may be a flood
MORE_THAN_ENOUGH = 30_000.0  # seconds of the loop's time that a session may take


@dataclass
class Turn:
    """One thing that was heard, and all that was said to it."""

    peer: "Peer"
    heard: bytes
    said: bytes = b""


class Peer:
    """The relay's end of one connection, and all that it has heard."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        turns: list[Turn],
    ) -> None:
        """`turns` is the record of all connections."""
        self.writer = writer
        self._turns = turns
        self._turn = Turn(self, b"")
        self.in_tls = writer.get_extra_info("ssl_object") is not None
        self.heard_in_clear = bytearray()
        self.heard_in_tls = bytearray()
        self.argument = ""
        """Of the last command."""
        self.message = b""
        self._reader = reader

    async def say(self, *lines: str) -> None:
        await self.send("".join(f"{line}\r\n" for line in lines).encode())

    async def send(self, data: bytes) -> None:
        self._turn.said += data[:_NOTED]
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, end: bytes = b"\r\n") -> bytes:
        return self._heard(await self._reader.readuntil(end))

    async def hear_message(self) -> bytes:
        """Read up to the lone dot; the message may be empty."""
        heard = await self._reader.readuntil(b".\r\n")
        while heard != NOTHING and not heard.endswith(b"\r\n.\r\n"):
            heard += await self._reader.readuntil(b".\r\n")
        return self._heard(heard)

    async def hear_some(self) -> bytes:
        """Read what is there; nothing when the client has gone."""
        return self._heard(await self._reader.read(65_536))

    async def hear_all(self) -> None:
        """Read until the client has gone."""
        while await self.hear_some():
            pass

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context)
        self.in_tls = True

    def cut(self) -> None:
        """End the connection by RST."""
        where = self.writer.get_extra_info("socket")
        where.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def _heard(self, data: bytes) -> bytes:
        (self.heard_in_tls if self.in_tls else self.heard_in_clear).extend(data)
        if data:
            self._turn = Turn(self, data)
            self._turns.append(self._turn)
        return data


class Relay:
    """A relay with STARTTLS and a login that anybody passes."""

    host = NAME
    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000")
    mechanisms = "PLAIN LOGIN"
    mechanisms_in_clear = ""

    def __init__(self, authority: trustme.CA) -> None:
        self.port = 0
        self.peers: list[Peer] = []
        self.turns: list[Turn] = []
        """Of all connections, in the order in which they were heard."""
        self.messages: list[bytes] = []
        """What it has said 250 to behind the dot."""
        self.verbs: list[str] = []
        self.responses = 0
        """To challenges; a `*`, which ends an exchange, counts as a verb."""
        self.faults: list[Exception] = []
        self._authority = authority
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen; raises at the end what went wrong in here."""
        server = await self.listen()
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.faults:
            raise self.faults[0]

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, *self.place())

    def place(self) -> tuple[str, int]:
        """Return where to listen; where that is another address, it is the host too."""
        return "127.0.0.1", 0

    def certificate(self) -> trustme.LeafCert:
        return self._authority.issue_cert(self.host)

    def context(self) -> ssl.SSLContext:
        return showing(self.certificate())

    async def session(self, peer: Peer) -> None:
        await self.greet(peer)
        while True:
            line = await peer.hear()
            verb, _, peer.argument = line[:-2].decode("utf-8", "replace").partition(" ")
            self.verbs.append(verb)
            if verb == "QUIT":
                await peer.say("221 Bye")
                return
            await self.handle(verb, peer)

    async def handle(self, verb: str, peer: Peer) -> None:
        match verb:
            case "EHLO":
                await self.ehlo(peer)
            case "STARTTLS":
                await self.starttls(peer)
            case "AUTH":
                await self.auth(peer)
            case "MAIL":
                await self.mail(peer)
            case "RCPT":
                await self.rcpt(peer)
            case "DATA":
                await self.data(peer)
            case "RSET":
                await peer.say("250 2.0.0 Ok")
            case _:
                await peer.say("500 What?")

    async def greet(self, peer: Peer) -> None:
        await peer.say(f"220 {NAME} ESMTP")

    def keywords(self, peer: Peer) -> list[str]:
        offered = self.mechanisms if peer.in_tls else self.mechanisms_in_clear
        return [
            *self.extensions,
            *([] if peer.in_tls else ["STARTTLS"]),
            *([f"AUTH {offered}"] if offered else []),
        ]

    async def ehlo(self, peer: Peer) -> None:
        *lines, last = NAME, *self.keywords(peer)
        await peer.say(*(f"250-{line}" for line in lines), f"250 {last}")

    async def starttls(self, peer: Peer) -> None:
        await peer.say("220 Go ahead")
        await peer.start_tls(self.context())

    async def auth(self, peer: Peer) -> None:
        await peer.say("235 2.7.0 Welcome")

    async def hear_response(self, peer: Peer) -> bool:
        """Hear the answer to a challenge; false where it ends the exchange."""
        if await peer.hear() == b"*\r\n":
            self.verbs.append("*")
            return False
        self.responses += 1
        return True

    async def mail(self, peer: Peer) -> None:
        await peer.say("250 2.1.0 Ok")

    async def rcpt(self, peer: Peer) -> None:
        await peer.say("250 2.1.5 Ok")

    async def data(self, peer: Peer) -> None:
        await peer.say("354 Go on")
        peer.message = await peer.hear_message()
        await self.answer_message(peer)

    async def answer_message(self, peer: Peer) -> None:
        if peer.message == NOTHING:  # what a client sends that has no recipient left
            await peer.say("554 5.5.1 No valid recipients")
            return
        self.messages.append(peer.message)
        await peer.say(f"250 2.0.0 Queued as {len(self.messages)}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, self.turns)
        self.peers.append(peer)
        task = asyncio.ensure_future(self._run(peer))
        self._tasks.add(task)
        await asyncio.wait({task})

    async def _run(self, peer: Peer) -> None:
        try:
            async with asyncio.timeout(MORE_THAN_ENOUGH):
                with suppress(OSError, asyncio.IncompleteReadError):  # the client has gone
                    await self.session(peer)
                with suppress(OSError):
                    await peer.hear_all()
        except Exception as error:  # noqa: BLE001 - told by running()
            self.faults.append(error)
        finally:
            peer.writer.transport.abort()


class Says(Relay):
    """Octets in place of the answer to one command; `GREETING` and `.` are steps here too."""

    def __init__(self, authority: trustme.CA, step: str, answer: bytes) -> None:
        super().__init__(authority)
        self._step = step
        self._answer = answer

    async def greet(self, peer: Peer) -> None:
        if self._step == "GREETING":
            await peer.send(self._answer)
        else:
            await super().greet(peer)

    async def handle(self, verb: str, peer: Peer) -> None:
        if self._step == verb:
            await peer.send(self._answer)
        else:
            await super().handle(verb, peer)

    async def answer_message(self, peer: Peer) -> None:
        if self._step == ".":
            await peer.send(self._answer)
        else:
            await super().answer_message(peer)


MakeRelay = Callable[[trustme.CA], Relay]


def says(step: str, answer: bytes) -> MakeRelay:
    return partial(Says, step=step, answer=answer)
