"""Relays that misbehave: real servers on loopback, a class for each kind of fault.

`Relay` is as a relay should be; each of the others does one thing differently. All of them read
to the end of the connection, so that nothing said to them goes unseen.
"""

import asyncio
import base64
import socket
import ssl
import struct
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import cast

import trustme

NAME = "localhost"
MORE_THAN_ENOUGH = 300.0  # seconds of the loop's time that a session may take
TLS_FIRST_PORT = 2465


class Peer:
    """The relay's end of one connection, and all that it has heard."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.in_tls = writer.get_extra_info("ssl_object") is not None
        self.heard_in_clear = bytearray()
        self.heard_in_tls = bytearray()
        self._reader = reader

    async def say(self, *lines: str) -> None:
        await self.send("".join(f"{line}\r\n" for line in lines).encode())

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, end: bytes = b"\r\n") -> bytes:
        return self._heard(await self._reader.readuntil(end))

    async def hear_all(self) -> None:
        """Read until the client has gone."""
        while self._heard(await self._reader.read(65_536)):
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
        return data


class Relay:
    """A relay with STARTTLS and a login that anybody passes."""

    host = NAME
    extensions = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000")
    mechanisms = "PLAIN LOGIN"
    mechanisms_in_clear = ""

    def __init__(self, authority: trustme.CA) -> None:
        self.port = 0
        self.peers: list[Peer] = []
        self.messages: list[bytes] = []
        """What it has said 250 to behind the dot."""
        self.verbs: list[str] = []
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
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    def certificate(self) -> trustme.LeafCert:
        return self._authority.issue_cert(NAME)

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certificate().configure_cert(context)
        return context

    async def session(self, peer: Peer) -> None:
        await self.greet(peer)
        while True:
            line = await peer.hear()
            verb, _, rest = line[:-2].decode("utf-8", "replace").partition(" ")
            self.verbs.append(verb)
            if verb == "QUIT":
                await peer.say("221 Bye")
                return
            await self.handle(verb, rest, peer)

    async def handle(self, verb: str, rest: str, peer: Peer) -> None:
        match verb:
            case "EHLO":
                await self.ehlo(peer)
            case "STARTTLS":
                await self.starttls(peer)
            case "AUTH":
                await self.auth(rest, peer)
            case "MAIL":
                await self.mail(peer)
            case "RCPT":
                await self.rcpt(peer)
            case "DATA":
                await self.data(peer)
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

    async def auth(self, rest: str, peer: Peer) -> None:
        await peer.say("235 2.7.0 Welcome")

    async def mail(self, peer: Peer) -> None:
        await peer.say("250 2.1.0 Ok")

    async def rcpt(self, peer: Peer) -> None:
        await peer.say("250 2.1.5 Ok")

    async def data(self, peer: Peer) -> None:
        await peer.say("354 Go on")
        message = await peer.hear(b"\r\n.\r\n")
        await self.answer_message(message, peer)

    async def answer_message(self, message: bytes, peer: Peer) -> None:
        self.messages.append(message)
        await peer.say("250 2.0.0 Queued as 4711")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
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

    async def handle(self, verb: str, rest: str, peer: Peer) -> None:
        if self._step == verb:
            await peer.send(self._answer)
        else:
            await super().handle(verb, rest, peer)

    async def answer_message(self, message: bytes, peer: Peer) -> None:
        if self._step == ".":
            await peer.send(self._answer)
        else:
            await super().answer_message(message, peer)


MakeRelay = Callable[[trustme.CA], Relay]


def says(step: str, answer: bytes) -> MakeRelay:
    return partial(Says, step=step, answer=answer)


# Those that are slow or gone.


class Silent(Relay):
    async def greet(self, peer: Peer) -> None:
        await peer.hear_all()


class Drips(Relay):
    """An octet each ten seconds, and never the end of the greeting."""

    async def greet(self, peer: Peer) -> None:
        for octet in b"220 localhost ESMTP, which takes its time and some more of it\r\n":
            await peer.send(bytes([octet]))
            await asyncio.sleep(10)


class DripsLines(Relay):
    """A whole line each second, and never the last one."""

    async def ehlo(self, peer: Peer) -> None:
        for _ in range(90):
            await peer.send(b"250-X\r\n")
            await asyncio.sleep(1)


class StopsReading(Relay):
    """Takes nothing more off the wire behind its 354, with the smallest of buffers."""

    async def listen(self) -> asyncio.Server:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        return await asyncio.start_server(self._serve, sock=listening)

    async def data(self, peer: Peer) -> None:
        cast("asyncio.ReadTransport", peer.writer.transport).pause_reading()
        await peer.say("354 Go on")
        await asyncio.sleep(MORE_THAN_ENOUGH / 2)


class NothingListens(Relay):
    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            self.port = gone.getsockname()[1]
        yield


class DropsSyn(Relay):
    """A queue of connections that is full: the kernel answers no further one."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
            self.port = listening.getsockname()[1]
            with _connected(self.port), _connected(self.port):
                yield


@contextmanager
def _connected(port: int) -> Iterator[None]:
    with socket.socket() as filling:
        filling.setblocking(False)
        with suppress(BlockingIOError):
            filling.connect(("127.0.0.1", port))
        yield


class Resets(Relay):
    async def session(self, peer: Peer) -> None:
        peer.cut()


class ClosesAtOnce(Relay):
    async def session(self, peer: Peer) -> None:
        peer.writer.close()


class ClosesOnEhlo(Relay):
    async def ehlo(self, peer: Peer) -> None:
        peer.writer.close()


# Those that flood.


class Floods(Relay):
    """A piece, again and again, as long as somebody takes it; a hundred megabytes at most."""

    piece = b"x" * 65_536

    async def flood(self, peer: Peer) -> None:
        for _ in range(100_000_000 // len(self.piece)):
            await peer.send(self.piece)


class FloodsLine(Floods):
    async def greet(self, peer: Peer) -> None:
        await peer.send(b"220 ")
        await self.flood(peer)


class FloodsAnswer(Floods):
    async def answer_message(self, message: bytes, peer: Peer) -> None:
        await peer.send(b"250 ")
        await self.flood(peer)


class FloodsLines(Floods):
    piece = b"250-\r\n" * 10_000

    async def ehlo(self, peer: Peer) -> None:
        await self.flood(peer)


class FloodsKeywords(Floods):
    piece = b"".join(b"250-X%d %s\r\n" % (number, b"y" * 2_000) for number in range(50))

    async def ehlo(self, peer: Peer) -> None:
        await self.flood(peer)


class FloodsChallenge(Floods):
    async def auth(self, rest: str, peer: Peer) -> None:
        await peer.send(b"334 ")
        await self.flood(peer)


# Those that offer less, or lie about TLS.


class OffersNoTls(Relay):
    mechanisms_in_clear = "PLAIN LOGIN"

    def keywords(self, peer: Peer) -> list[str]:
        return [word for word in super().keywords(peer) if word != "STARTTLS"]


class TalksOnInClear(Relay):
    """Waits for the ClientHello, and answers it in words."""

    async def starttls(self, peer: Peer) -> None:
        await peer.say("220 Go ahead")
        await peer.hear(b"\x16\x03")
        await peer.say("554 What is that?")


class StallsHandshake(Relay):
    async def starttls(self, peer: Peer) -> None:
        await peer.say("220 Go ahead")
        await peer.hear_all()


class Injects(Relay):
    mechanisms_in_clear = "LOGIN"

    async def starttls(self, peer: Peer) -> None:
        await peer.say("220 Go ahead", "250-localhost", "250 AUTH LOGIN")


class OldTls(Relay):
    def context(self) -> ssl.SSLContext:
        context = super().context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
        return context


class WrongName(Relay):
    def certificate(self) -> trustme.LeafCert:
        return self._authority.issue_cert("mail.elsewhere.example")


class Expired(Relay):
    def certificate(self) -> trustme.LeafCert:
        past = datetime(2020, 1, 1, tzinfo=UTC)
        return self._authority.issue_cert(NAME, not_before=past, not_after=past)


class UnknownAuthority(Relay):
    def certificate(self) -> trustme.LeafCert:
        return trustme.CA().issue_cert(NAME)


class TlsAtOnce(Relay):
    """TLS from the first byte, where the greeting comes first."""

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context())


class ClearWhereTlsIsFirst(Relay):
    """A greeting in clear, where TLS comes first: at an address of its own, for that port."""

    host = "127.0.24.65"

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, self.host, TLS_FIRST_PORT)


class SmallMessages(Relay):
    extensions = ("SIZE 1",)


class NoExtensions(Relay):
    extensions = ()


# Those that play with the login.


class LoginInClearOnly(Relay):
    mechanisms = ""
    mechanisms_in_clear = "PLAIN LOGIN"


class Repeats(Relay):
    """Says what it was told, the password included."""

    async def auth(self, rest: str, peer: Peer) -> None:
        await peer.say(f"535 5.7.8 Not with AUTH {rest}")


class Challenges(Relay):
    """Answers every response with one more challenge."""

    mechanisms = "LOGIN"

    async def auth(self, rest: str, peer: Peer) -> None:
        for _ in range(1_000):
            await peer.say("334 VXNlcm5hbWU6")
            if await peer.hear() == b"*\r\n":
                self.verbs.append("*")
                return


class ManyRounds(Relay):
    """Asks for ten million rounds of hashing."""

    mechanisms = "SCRAM-SHA-256"

    async def auth(self, rest: str, peer: Peer) -> None:
        first = base64.b64decode(rest.split(" ")[1]).decode()
        nonce = first.rpartition("r=")[2]
        salt = base64.b64encode(b"s" * 16).decode()
        challenge = f"r={nonce}more,s={salt},i=10000000"
        await peer.say("334 " + base64.b64encode(challenge.encode()).decode())
        if await peer.hear() == b"*\r\n":
            self.verbs.append("*")
