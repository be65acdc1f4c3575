"""Server-sent events: an answer that is told bit by bit while the work behind it runs.

The work ends with its listener. When the client goes away, or the service stops, it is cancelled:
no connection to a relay outlives whoever asked for it. The format is that of WHATWG HTML, section
"Server-sent events".
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from smarthost.web.stopping import ended, is_stopping

KEEP_ALIVE_SECONDS = 15.0
"""After so long without an event a comment is sent: proxies end connections that are silent."""

_KEEP_ALIVE = b":\n\n"
# What a reader may be behind before the work waits for it.
_MOST_WAITING = 16

Receive = Callable[[], Awaitable[dict[str, Any]]]
"""ASGI's: gives the request's parts, and at last that the client is gone."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event: its name, and a value that is sent as JSON."""

    name: str
    value: Any


Tell = Callable[[Event], Awaitable[None]]
"""Sends an event; waits where the client does not read."""
Work = Callable[[Tell], Awaitable[None]]
"""Tells events until it returns; nothing of it happens before the first one is asked for."""


class EventStream:
    """The events of one piece of work, as octets for one client.

    Falcon iterates, and calls `close` in any case once it has begun.
    """

    def __init__(
        self,
        work: Work,
        *,
        receive: Receive,
        stopped: asyncio.Event,
        failure: Callable[[Exception], bytes],
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        """Take how a failure is told, as JSON, and what is set when the service stops."""
        self._work = work
        self._receive = receive
        self._stopped = stopped
        self._failure = failure
        self._keep_alive_seconds = keep_alive_seconds
        self._octets: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)
        self._running: asyncio.Task[None] | None = None
        self._at_end: Callable[[], None] | None = None

    def at_end(self, do: Callable[[], None]) -> None:
        """Have something done when the stream is closed."""
        self._at_end = do

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return itself: it can be read once."""
        return self

    async def __anext__(self) -> bytes:
        """Return an event or a keep-alive comment."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(self._keep_alive_seconds):
                octets = await self._octets.get()
        except TimeoutError:
            return _KEEP_ALIVE
        if not octets:
            raise StopAsyncIteration
        return octets

    async def close(self) -> None:
        """End the work, if it has not ended, and wait until it has."""
        try:
            if self._running is not None:
                await ended({self._running})
        finally:
            if self._at_end is not None:
                self._at_end()

    async def _run(self) -> None:
        working = asyncio.create_task(self._work_through())
        ends = {
            asyncio.create_task(self._client_gone()),
            asyncio.create_task(self._stopped.wait()),
        }
        try:
            await asyncio.wait({working, *ends}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended({working, *ends})
        if working.cancelled() and self._stopped.is_set():
            await self._octets.put(self._failed(is_stopping()))
        await self._octets.put(b"")

    async def _work_through(self) -> None:
        try:
            await self._work(self._tell)
        except Exception as error:  # noqa: BLE001 - the one door; what it is, `failure` decides
            await self._octets.put(self._failed(error))

    async def _tell(self, event: Event) -> None:
        await self._octets.put(_written(event.name, msgspec.json.encode(event.value)))

    def _failed(self, error: Exception) -> bytes:
        return _written("error", self._failure(error))

    async def _client_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _written(name: str, value: bytes) -> bytes:
    # JSON has no line ends, so a value is one line.
    return b"event: %b\ndata: %b\n\n" % (name.encode(), value)
