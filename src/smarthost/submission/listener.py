"""Takes clients at bound sockets, each in a session of its own, and stops in order.

The sockets come bound, so that a port in use is known before anything else has begun. Connections
are accepted here and not by asyncio's servers: those count nobody who has not finished the TLS
handshake, and could be held by as many as like to begin one.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import structlog

from smarthost.network import parse_ip, rate_key
from smarthost.submission import replies
from smarthost.submission.conversation import Conversation, House, Origin
from smarthost.submission.proxied import client_behind
from smarthost.submission.proxy_header import BEGINNINGS, ProxyHeaderError
from smarthost.submission.replies import Reply
from smarthost.submission.session import Session, Terms
from smarthost.submission.wire import Wire

log = structlog.get_logger("smarthost.submission")

# After a fault of the system, such as no more files: until somebody has left.
_PAUSE_SECONDS = 0.5


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """A socket that listens."""

    socket: socket.socket
    implicit_tls: bool
    """TLS from the first octet (RFC 8314)."""


class Visit:
    """One accepted connection; a `sessions.Guest`."""

    def __init__(self, connection: socket.socket, house: House, *, implicit_tls: bool) -> None:
        """Look who it is; raises `OSError` where the client is gone already."""
        ends = (connection.getpeername(), connection.getsockname())
        # A zone means something on one link of this machine alone.
        client, own = (parse_ip(end[0].partition("%")[0]) for end in ends)
        self._by_proxy = any(client in network for network in house.proxies)
        self.origin = Origin(
            address=str(client),
            # Whatever a proxy says: who reads along in front of it is not known here.
            on_loopback=client.is_loopback and own.is_loopback and not self._by_proxy,
        )
        self.rate_key = None if self._by_proxy else rate_key(self.origin.address)
        self._connection: socket.socket | None = connection
        self._house = house
        self._implicit_tls = implicit_tls
        self._conversation: Conversation | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> asyncio.Task[None]:
        """Begin the session."""
        self._task = asyncio.create_task(self._run())
        return self._task

    def dismiss(self, reply: Reply) -> None:
        """Say `reply` and close, once no message is on its way; a handshake is broken off."""
        if self._conversation is not None:
            self._conversation.dismiss(reply)
        elif self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Close a connection that no session has taken over."""
        if self._connection is not None:
            self._connection.close()

    def refuse(self, reply: Reply) -> None:
        """Say `reply` in place of a greeting, if that can be said at once, and close."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send(b"" if self._implicit_tls else reply.octets)
            self._connection.close()

    async def _run(self) -> None:
        house = self._house
        if self._by_proxy and not await self._learn_origin():
            return
        wire = Wire(house.clock, house.limits)
        # Before there is a connection: what a client says at once is not lost then.
        conversation = Conversation(
            wire,
            Session(self._terms(), tls=self._implicit_tls),
            house,
            self.origin,
            partial(house.sessions.logged_in, self),
        )
        if not self._by_proxy:
            wire.receive = partial(self._receive_first, wire, wire.receive)
        try:
            await self._connect(wire)
        except OSError:  # of TLS, of the time, of the connection
            return
        self._conversation = conversation
        await conversation.run()

    async def _learn_origin(self) -> bool:
        """Have the proxy say who the client is; False: it did not, or there is no room for it."""
        if self._connection is None:
            raise AssertionError("A visit begins once.")
        try:
            told = await client_behind(self._connection, self._house.limits.command_seconds)
        except ProxyHeaderError as error:
            self._house.proxy_warnings.no_header(self.origin.address, str(error))
            return False
        except OSError:
            return False
        if told is not None:
            self.origin = Origin(address=str(told), on_loopback=False)
        self.rate_key = rate_key(self.origin.address)
        if self._house.sessions.count_stranger(self, self.rate_key):
            return True
        self.refuse(replies.TOO_MANY_SESSIONS)
        self._house.metrics.turned_away()
        return False

    def _receive_first(self, wire: Wire, receive: Callable[[bytes], bool], octets: bytes) -> bool:
        wire.receive = receive
        if octets.startswith(BEGINNINGS):
            self._house.proxy_warnings.not_named(self.origin.address)
        return receive(octets)

    def _terms(self) -> Terms:
        return Terms(
            host=self._house.host,
            starttls=self._house.certificate() is not None,
            login_in_clear=self.origin.on_loopback,
            limits=self._house.limits,
        )

    async def _connect(self, wire: Wire) -> None:
        connection, self._connection = self._connection, None
        loop, limits = asyncio.get_running_loop(), self._house.limits
        if connection is None:
            raise AssertionError("A visit begins once.")
        if not self._implicit_tls:
            await loop.connect_accepted_socket(lambda: wire, connection)
            return
        context = self._house.certificate()
        if context is None:
            connection.close()
            raise ConnectionAbortedError("There is no certificate.")
        await loop.connect_accepted_socket(
            lambda: wire,
            connection,
            ssl=context,
            ssl_handshake_timeout=limits.command_seconds,
            ssl_shutdown_timeout=limits.linger_seconds,
        )


class Listener:
    """Serves from `start` to `stop`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._doors: Sequence[Door] = ()
        self._accepting: list[asyncio.Task[None]] = []
        self._visits: dict[asyncio.Task[None], Visit] = {}

    def start(self, doors: Sequence[Door]) -> None:
        """Take clients at these sockets, which `stop` closes."""
        self._doors = doors
        for door in doors:
            door.socket.setblocking(False)
            self._accepting.append(asyncio.create_task(self._accept(door)))

    async def stop(self) -> None:
        """Take no more clients; messages on their way get some seconds, then all is closed."""
        for task in self._accepting:
            task.cancel()
        if self._accepting:
            await asyncio.wait(self._accepting)
        for door in self._doors:
            door.socket.close()
        for visit in self._visits.values():
            visit.dismiss(replies.STOPPING)
        await self._end(self._house.limits.stop_seconds)
        for task in self._visits:
            task.cancel()
        await self._end(self._house.limits.linger_seconds)

    async def _end(self, seconds: float) -> None:
        if self._visits:
            await asyncio.wait(list(self._visits), timeout=seconds)

    async def _accept(self, door: Door) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(door.socket)
            except ConnectionError:  # the client was gone already
                continue
            except OSError as error:
                log.warning("no client taken", reason=str(error))
                await self._house.clock.sleep(_PAUSE_SECONDS)
                continue
            try:
                self._take(Visit(connection, self._house, implicit_tls=door.implicit_tls))
            except OSError:
                connection.close()

    def _take(self, visit: Visit) -> None:
        if not self._house.sessions.admit(visit):
            self._house.sessions.gone(visit)
            visit.refuse(replies.TOO_MANY_SESSIONS)
            self._house.metrics.turned_away()
            return
        self._house.metrics.begun()
        task = visit.begin()
        self._visits[task] = visit
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        visit = self._visits.pop(task)
        visit.close()
        self._house.sessions.gone(visit)
        self._house.metrics.ended()
