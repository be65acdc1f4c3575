"""A clock under which nobody gets on before the test says so."""

import asyncio
import contextlib

from smarthost.clock import MICROSECONDS
from tests.clocks import START


class HeldClock:
    """Stands still until `advance`; whoever sleeps, sleeps until then."""

    def __init__(self, now: int = START) -> None:
        self._now = now
        self._monotonic = 0.0
        self._sleeping: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (self._monotonic + seconds, sleeper)
        self._sleeping.append(entry)
        try:
            await sleeper
        finally:
            with contextlib.suppress(ValueError):
                self._sleeping.remove(entry)

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake whoever has slept enough."""
        self.jump(seconds)
        self._monotonic += seconds
        for until, sleeper in self._sleeping:
            if until <= self._monotonic and not sleeper.done():
                sleeper.set_result(None)

    async def is_slept_on(self) -> bool:
        """Tell whether anybody waits for time to pass."""
        return self.sleepers() > 0

    def sleepers(self) -> int:
        """Return how many wait for time to pass."""
        return sum(not sleeper.done() for _, sleeper in self._sleeping)

    def jump(self, seconds: float) -> None:
        """Set the machine's clock: nothing has passed, but the hands stand elsewhere."""
        self._now += round(seconds * MICROSECONDS)
