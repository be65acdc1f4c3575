"""Time and waiting, in one place.

Everything that asks for the time or waits is handed a `Clock`, so that a test can make a day
pass in a millisecond and a jump of the machine's clock is one module's concern.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol

MICROSECONDS = 1_000_000
"""How many of the units of `Clock.now` make a second."""


def moment(microseconds: int) -> datetime:
    """Return what `Clock.now` gave as a date and time, in UTC."""
    return datetime.fromtimestamp(microseconds / MICROSECONDS, UTC)


class Clock(Protocol):
    """What the time is, and waiting for some of it to pass."""

    def now(self) -> int:
        """Return the microseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never goes back; only differences have a meaning."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds of the monotonic clock."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """Return the microseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Return seconds of the machine's monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for that many seconds."""
        await asyncio.sleep(seconds)
