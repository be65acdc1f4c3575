"""Relays that misbehave: real servers on loopback, a class for each kind of fault.

Each does one thing differently from a relay as it should be.
"""

import asyncio
import base64
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import cast

import trustme

from tests.hostile_relays.honest import MORE_THAN_ENOUGH, NAME, Peer, Relay
from tests.smtp.relays import TLS_PORT, free_tls_address

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
    async def answer_message(self, peer: Peer) -> None:
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
    async def auth(self, peer: Peer) -> None:
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
    """Answers the ClientHello as a server with nothing but TLS 1.0 does: with an alert.

    The octets are handed on by hand, since asyncio's own server keeps the alert to itself.
    """

    async def starttls(self, peer: Peer) -> None:
        await peer.say("220 Go ahead")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self.context().wrap_bio(incoming, outgoing, server_side=True)
        with suppress(ssl.SSLError):
            while True:
                incoming.write(await peer.hear_some())
                with suppress(ssl.SSLWantReadError):
                    session.do_handshake()
        await peer.send(outgoing.read())

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
        return await asyncio.start_server(
            self._serve,
            *self.place(),
            ssl=self.context(),
            ssl_handshake_timeout=MORE_THAN_ENOUGH,
        )


class ClearWhereTlsIsFirst(Relay):
    """A greeting in clear, where TLS comes first: at an address of its own, for that port."""

    def place(self) -> tuple[str, int]:
        self.host = free_tls_address()
        return self.host, TLS_PORT


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

    async def auth(self, peer: Peer) -> None:
        await peer.say(f"535 5.7.8 Not with AUTH {peer.argument}")


class Challenges(Relay):
    """Answers every response with one more challenge."""

    mechanisms = "LOGIN"

    async def auth(self, peer: Peer) -> None:
        for _ in range(1_000):
            await peer.say("334 VXNlcm5hbWU6")
            if not await self.hear_response(peer):
                return


class ManyRounds(Relay):
    """Asks for ten million rounds of hashing."""

    mechanisms = "SCRAM-SHA-256"

    async def auth(self, peer: Peer) -> None:
        first = base64.b64decode(peer.argument.split(" ")[1]).decode()
        nonce = first.rpartition("r=")[2]
        salt = base64.b64encode(b"s" * 16).decode()
        challenge = f"r={nonce}more,s={salt},i=10000000"
        await peer.say("334 " + base64.b64encode(challenge.encode()).decode())
        await self.hear_response(peer)
