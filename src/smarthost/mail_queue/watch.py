"""Looks at all attempts that run, now and then: most are over before the first look.

One task for all of them, since one for each message would cost more than the looking.
"""

import asyncio
from typing import Protocol

from smarthost.clock import Clock

LOOK_SECONDS = 0.25
"""How often a running attempt's step is written down and, for a test, its settings looked at."""


class Watched(Protocol):
    """An attempt that runs."""

    async def look(self) -> None:
        """Do what is to be done now and then; raises nothing."""
        ...


class Watch:
    """Belongs to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watched: set[Watched] = set()
        self._looking: asyncio.Task[None] | None = None

    def begin(self, watched: Watched) -> None:
        """Look at it until `end`."""
        self._watched.add(watched)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())

    def end(self, watched: Watched) -> None:
        """Look at it no more."""
        self._watched.discard(watched)

    async def _look(self) -> None:
        try:
            while self._watched:
                await self._clock.sleep(LOOK_SECONDS)
                await asyncio.gather(*(one.look() for one in self._watched))
        finally:
            self._looking = None
