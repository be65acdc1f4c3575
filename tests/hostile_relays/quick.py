"""An event loop in which half a minute takes seconds: each timer rings early, the code's own too.

Nothing else is different: it is the real deadlines that end what they end. The service runs on
uvloop, whose time cannot be changed; what needs no quick time is tried on that.
"""

import asyncio
import selectors

from smarthost.clock import MICROSECONDS

SPEED = 10


class _QuickSelector(selectors.DefaultSelector):
    def __init__(self, speed: float) -> None:
        super().__init__()
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / self._speed)


class QuickLoop(asyncio.SelectorEventLoop):
    """Its seconds are `speed` times as short as others."""

    def __init__(self, speed: float = SPEED) -> None:
        self._speed = speed
        super().__init__(_QuickSelector(speed))

    def time(self) -> float:
        return super().time() * self._speed


class LoopClock:
    """The time of the loop that is running."""

    def __init__(self, now: int) -> None:
        """`now` is the moment that it begins at, as `now()` tells it."""
        self._loop = asyncio.get_running_loop()
        self._first = now - round(self._loop.time() * MICROSECONDS)

    def now(self) -> int:
        return self._first + round(self._loop.time() * MICROSECONDS)

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
