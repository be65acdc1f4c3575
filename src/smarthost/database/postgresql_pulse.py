"""Finds out whether a server that does not answer is there at all, and lets go of it if not.

A statement may take its time: others have what it waits for. A network that was cut, or a machine
that stands still, looks the same, since nothing closes the connection; whoever waits would wait
for as long as for the slowest statement, and with them all who wait for a connection. So what has
not been answered for a while has the server asked by a connection of its own.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

DOUBT_SECONDS = 3.0
"""How long a statement is waited for before the server is asked, and between two questions."""


class Closable(Protocol):
    """A connection, as far as it is closed here."""

    def terminate(self) -> None:
        """Close it without a word, so that whoever waits is told."""
        ...


class Pulse:
    """Belongs to one event loop."""

    def __init__(
        self, is_there: Callable[[], Awaitable[bool]], doubt_seconds: float = DOUBT_SECONDS
    ) -> None:
        """`is_there` asks the server, and takes a bounded time."""
        self._is_there = is_there
        self._doubt_seconds = doubt_seconds
        # Each statement by itself: a connection may have answered one and have got the next.
        self._waiting: dict[object, Closable] = {}
        self._in_doubt: set[object] = set()
        self._feeling: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watching(self, connection: Closable) -> Iterator[None]:
        """Terminate the connection if the server turns out to be gone before this ends."""
        statement = object()
        self._waiting[statement] = connection
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._doubt_seconds, self._doubt, statement)
        try:
            yield
        finally:
            timer.cancel()
            del self._waiting[statement]
            self._in_doubt.discard(statement)

    def _doubt(self, statement: object) -> None:
        self._in_doubt.add(statement)
        if self._feeling is None:
            self._feeling = asyncio.create_task(self._feel())
            self._feeling.add_done_callback(self._felt)

    async def _feel(self) -> None:
        while self._in_doubt:
            begun = list(self._waiting)
            if await self._is_there():
                await asyncio.sleep(self._doubt_seconds)
                continue
            # Whatever waited all the time that the server was asked.
            for statement in begun:
                if statement in self._waiting:
                    self._in_doubt.discard(statement)
                    self._waiting[statement].terminate()

    def _felt(self, _task: asyncio.Task[None]) -> None:
        self._feeling = None

    async def close(self) -> None:
        """End a question that is under way."""
        if self._feeling is not None:
            self._feeling.cancel()
            await asyncio.wait({self._feeling})
