"""Room in memory for the bodies of requests, so that many large ones together do not fill it.

An e-mail with large files takes several times its size while it is made, and each connection may
bring one. Those that find no room wait a little, in their order; small bodies pass by.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from smarthost.web.content import LARGEST_BODY
from smarthost.web.errors import RequestError

ROOM = 64 << 20
"""Octets of bodies that are being read or answered."""
PATIENCE_SECONDS = 15.0
"""Less than a connection has to bring some of its body."""

_RETRY_SECONDS = 5


class BodyRoom:
    """Counts what is taken."""

    def __init__(self, octets: int = ROOM, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._left = octets
        self._patience_seconds = patience_seconds
        # The one that is next waits inside, so that small ones do not go before a large one.
        self._door = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def taken(self, octets: int) -> AsyncIterator[None]:
        """Take room for a body of at most so many octets, all of the room at most.

        Raises `RequestError` (503) where there is none for too long.
        """
        if octets <= LARGEST_BODY:
            yield
            return
        await self._take(octets)
        try:
            yield
        finally:
            self._left += octets
            self._freed.set()

    async def _take(self, octets: int) -> None:
        try:
            async with asyncio.timeout(self._patience_seconds), self._door:
                while octets > self._left:
                    self._freed.clear()
                    await self._freed.wait()
                self._left -= octets
        except TimeoutError:
            raise RequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Too many large requests came at the same time. Try again in a few seconds.",
                headers={"Retry-After": str(_RETRY_SECONDS), "Connection": "close"},
            ) from None
