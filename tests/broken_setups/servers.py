"""Servers for broken set-ups: those of other protocols, those that say one thing as a provider
does, and those whose TLS or certificate is wrong.

All are real servers on loopback. They build on the relay that the hostile ones are made of.
"""

import datetime as dt
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler

import trustme

from tests.broken_setups.set_up import Place, Server, World
from tests.hostile_relays.honest import MakeRelay, Peer, Relay, Says
from tests.hostile_relays.relays import ClearWhereTlsIsFirst, OffersNoTls, TlsAtOnce


def scripted(built: str, make: MakeRelay, *, needs_host: bool = False) -> Server:
    """Return a relay of ours; `needs_host`: it is found at the address that it has itself."""

    @asynccontextmanager
    async def running(world: World) -> AsyncIterator[Place]:
        relay = make(world.authority)
        if not needs_host:
            relay.host = world.host
        async with relay.running():
            yield Place(port=relay.port, host=relay.host if needs_host else None)

    return Server(built=built, running=running)


def says(verb: str, *lines: str) -> Server:
    """Return a relay that says `lines` to one command; `GREETING` and `.` are commands here."""
    to = {"GREETING": "as its greeting", ".": "to the end of the message"}.get(verb, f"to {verb}")
    octets = "".join(f"{line}\r\n" for line in lines).encode()
    return scripted(f"`{lines[0]}` {to}", partial(Says, step=verb, answer=octets))


def greets(built: str, *lines: str) -> Server:
    """Return a server of another protocol, which speaks first."""
    octets = "".join(f"{line}\r\n" for line in lines).encode()
    return scripted(built, partial(Says, step="GREETING", answer=octets))


def certified(built: str, make: Callable[[World], trustme.LeafCert]) -> Server:
    """Return a relay with the certificate that `make` makes."""

    @asynccontextmanager
    async def running(world: World) -> AsyncIterator[Place]:
        relay = _Shows(world.authority, make(world))
        relay.host = world.host
        async with relay.running():
            yield Place(port=relay.port)

    return Server(built=built, running=running)


class _Shows(Relay):
    def __init__(self, authority: trustme.CA, shown: trustme.LeafCert) -> None:
        super().__init__(authority)
        self._shown = shown

    def certificate(self) -> trustme.LeafCert:
        return self._shown


def valid(since_days: float, until_days: float) -> Callable[[World], trustme.LeafCert]:
    """Return what makes a certificate of the trusted authority, good from then to then."""

    def make(world: World) -> trustme.LeafCert:
        now = dt.datetime.now(dt.UTC)
        return world.authority.issue_cert(
            world.host,
            not_before=now + dt.timedelta(days=since_days),
            not_after=now + dt.timedelta(days=until_days),
        )

    return make


def for_names(*names: str) -> Callable[[World], trustme.LeafCert]:
    return lambda world: world.authority.issue_cert(*names)


def of_company(world: World) -> trustme.LeafCert:
    """Issue by an authority that the machine does not know."""
    return trustme.CA(organization_name="The company").issue_cert(world.host)


class SelfSigned(Relay):
    """Its certificate has signed itself, as a fresh installation's does."""

    def context(self) -> ssl.SSLContext:
        alone = trustme.CA(organization_name="snakeoil")
        return _showing(alone.private_key_pem.bytes() + alone.cert_pem.bytes())


class WithoutIntermediate(Relay):
    """Sends its own certificate, and not the one that has signed it."""

    def context(self) -> ssl.SSLContext:
        between = self._authority.create_child_ca()
        issued = between.issue_cert(self.host)
        return _showing(issued.private_key_pem.bytes() + issued.cert_chain_pems[0].bytes())


def _showing(key_and_certificate: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with trustme.Blob(key_and_certificate).tempfile() as path:
        context.load_cert_chain(path)
    return context


class WantsCertificate(Relay):
    """Asks the client for a certificate, as a server for machines of one company does."""

    def context(self) -> ssl.SSLContext:
        context = super().context()
        context.verify_mode = ssl.CERT_REQUIRED
        self._authority.configure_trust(context)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


class BreaksHandshake(Relay):
    """Answers the ClientHello with an alert: handshake_failure (RFC 8446, section 6)."""

    async def starttls(self, peer: Peer) -> None:
        await peer.say("220 Go ahead")
        await peer.hear(b"\x16\x03")
        await peer.send(b"\x15\x03\x03\x00\x02\x02\x28")


class CutsAtEhlo(Relay):
    async def ehlo(self, peer: Peer) -> None:
        peer.cut()


class CutsHandshake(Relay):
    async def starttls(self, peer: Peer) -> None:
        await peer.say("220 Go ahead")
        await peer.hear(b"\x16\x03")
        peer.cut()


class TlsOnTlsPort(TlsAtOnce, ClearWhereTlsIsFirst):
    """TLS from the first byte, on a port where settings with TLS begin with it."""


class SaysInClear(OffersNoTls, Says):
    """Offers a login without TLS, and turns it away."""


class Offers(Relay):
    """Offers these logins alone."""

    def __init__(self, authority: trustme.CA, mechanisms: str) -> None:
        super().__init__(authority)
        self.mechanisms = mechanisms


class TokensSay(Says):
    """Takes tokens, and none is good enough."""

    mechanisms = "XOAUTH2"

    def __init__(self, authority: trustme.CA) -> None:
        super().__init__(authority, "AUTH", b"535 5.7.8 Authentication credentials invalid\r\n")


@asynccontextmanager
async def _web_server(_world: World) -> AsyncIterator[Place]:
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield Place(port=server.server_address[1])
        finally:
            server.shutdown()
            serving.join()


WEB_SERVER = Server(built="a web server (Python's own)", running=_web_server)


@asynccontextmanager
async def _nothing(_world: World) -> AsyncIterator[Place]:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port: int = gone.getsockname()[1]
    yield Place(port=port)


def nothing(built: str) -> Server:
    """Return no server at all."""
    return Server(built=built, running=_nothing)
