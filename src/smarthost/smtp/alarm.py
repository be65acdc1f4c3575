"""A deadline's alarm. Mostly a deadline is moved on before it comes, once for each step.

So the timer is not set anew each time: when it rings too early, it is set for what is then left.
"""

import asyncio
from collections.abc import Callable

from smarthost.clock import Clock


class Alarm:
    """Calls `ring` when a deadline has come, a moment of the clock's `monotonic()`, in seconds."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._deadline = 0.0

    def set(self, deadline: float) -> None:
        """Ring at this moment, and at no other that was set before."""
        self._deadline = deadline
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        left = max(0.0, deadline - self._clock.monotonic())
        self._timer = self._loop.call_later(left, self._look)

    def cancel(self) -> None:
        """Ring no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._clock.monotonic() < self._deadline:
            self.set(self._deadline)
        else:
            self._ring()
