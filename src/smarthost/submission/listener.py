"""Takes clients at bound sockets, each in a session of its own, and stops in order.

The sockets come bound, so that a port in use is known before anything else has begun.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import structlog

from smarthost.submission import replies
from smarthost.submission.conversation import Conversation, House
from smarthost.submission.wire import LostError, Wire

log = structlog.get_logger("smarthost.submission")

_BACKLOG = 2_048
_AGAIN_SECONDS = 0.5


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """A socket that listens."""

    socket: socket.socket
    implicit_tls: bool
    """TLS from the first octet (RFC 8314)."""


class Listener:
    """Serves from `start` to `stop`."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._servers: list[asyncio.Server] = []
        self._conversations: dict[asyncio.Task[None], Conversation] = {}
        self._accepting: list[asyncio.Task[None]] = []
        self._handshakes: set[asyncio.Task[None]] = set()

    async def start(self, doors: Sequence[Door]) -> None:
        """Take clients at these sockets, which are closed by `stop`."""
        loop = asyncio.get_running_loop()
        for door in doors:
            made = partial(self._made, implicit_tls=door.implicit_tls)
            wire = partial(Wire, made, self._house.clock, self._house.limits)
            if door.implicit_tls:
                door.socket.setblocking(False)
                door.socket.listen(_BACKLOG)
                self._accepting.append(loop.create_task(self._accept(door.socket, wire)))
            else:
                server = await loop.create_server(wire, sock=door.socket, backlog=_BACKLOG)
                self._servers.append(server)

    async def stop(self) -> None:
        """Take no more clients; messages on their way get some seconds, then all is closed."""
        for server in self._servers:
            server.close()
        for task in (*self._accepting, *self._handshakes):
            task.cancel()
        for conversation in self._conversations.values():
            conversation.dismiss(replies.STOPPING)
        await self._end(timeout=self._house.limits.stop_seconds)
        for task in self._conversations:
            task.cancel()
        await self._end(timeout=self._house.limits.linger_seconds)

    async def _accept(self, listening: socket.socket, wire: Callable[[], Wire]) -> None:
        """Take clients that begin with TLS.

        Each one shakes hands before there is a protocol: one that begins TLS in its first turn may
        have been given the client's first octets already, which nobody would then read as TLS.
        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listening)
            except ConnectionError:  # gone before it was here
                continue
            except OSError as error:  # too many files are open: soon fewer may be
                log.warning("connection not accepted", reason=str(error))
                await self._house.clock.sleep(_AGAIN_SECONDS)
                continue
            context = self._house.certificate()
            if context is None or len(self._handshakes) >= self._house.limits.sessions:
                accepted.close()
                continue
            handshake = loop.create_task(self._shake_hands(accepted, context, wire))
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)

    async def _shake_hands(
        self, accepted: socket.socket, context: ssl.SSLContext, wire: Callable[[], Wire]
    ) -> None:
        limits = self._house.limits
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                wire,
                accepted,
                ssl=context,
                ssl_handshake_timeout=limits.command_seconds,
                ssl_shutdown_timeout=limits.linger_seconds,
            )
        except OSError:  # no TLS, none that is spoken here, too late, or gone
            accepted.close()

    async def _end(self, *, timeout: float) -> None:  # noqa: ASYNC109 - of `wait`
        if self._conversations:
            await asyncio.wait(list(self._conversations), timeout=timeout)

    def _made(self, wire: Wire, *, implicit_tls: bool) -> None:
        try:
            conversation = Conversation(wire, self._house, implicit_tls=implicit_tls)
        except LostError:  # before it had begun
            wire.abort()
            return
        if not self._house.sessions.admit(conversation):
            self._house.sessions.gone(conversation)
            wire.write(replies.TOO_MANY_SESSIONS.octets)
            wire.close()
            return
        task = asyncio.get_running_loop().create_task(conversation.run())
        self._conversations[task] = conversation
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        conversation = self._conversations.pop(task)
        self._house.sessions.gone(conversation)
