"""Takes clients at bound sockets, each in a session of its own, and stops in order.

The sockets come bound, so that a port in use is known before anything else has begun.
"""

import asyncio
import socket
from collections.abc import Sequence
from functools import partial

import msgspec

from smarthost.submission import replies
from smarthost.submission.conversation import Conversation, House
from smarthost.submission.wire import LostError, Wire

_BACKLOG = 2_048


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

    async def start(self, doors: Sequence[Door]) -> None:
        """Take clients at these sockets, which are closed by `stop`."""
        loop = asyncio.get_running_loop()
        for door in doors:
            made = partial(self._made, implicit_tls=door.implicit_tls)
            server = await loop.create_server(
                partial(Wire, made, self._house.clock, self._house.limits),
                sock=door.socket,
                backlog=_BACKLOG,
            )
            self._servers.append(server)

    async def stop(self) -> None:
        """Take no more clients; messages on their way get some seconds, then all is closed."""
        for server in self._servers:
            server.close()
        for conversation in self._conversations.values():
            conversation.dismiss(replies.STOPPING)
        await self._end(timeout=self._house.limits.stop_seconds)
        for task in self._conversations:
            task.cancel()
        await self._end(timeout=self._house.limits.linger_seconds)

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
            if not implicit_tls:
                wire.write(replies.TOO_MANY_SESSIONS.octets)
            wire.close()
            return
        task = asyncio.get_running_loop().create_task(conversation.run())
        self._conversations[task] = conversation
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        conversation = self._conversations.pop(task)
        self._house.sessions.gone(conversation)
