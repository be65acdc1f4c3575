"""A clock that a test moves by hand."""

import asyncio

from smarthost.clock import MICROSECONDS

START = 1_767_225_600 * MICROSECONDS
"""2026-01-01T00:00:00Z, the first moment of a minute."""


class FakeClock:
    """Stands still until `advance`; whoever sleeps takes it along at once."""

    def __init__(self, now: int = START) -> None:
        self._now = now
        self._monotonic = 0.0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self._now += round(seconds * MICROSECONDS)
        self._monotonic += seconds
