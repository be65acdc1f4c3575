"""The ends of the lines between a worker and the process that looks after it.

One line tells that the worker serves and lives. On another one nothing is ever said: it ends with
the process at its other end, however that ends, and a worker that sees it stops, since nobody
would start it again or tell it to stop.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable

from smarthost.clock import Clock

SERVES = b"R"
LIVES = b"."


class Seat:
    """What a worker has of its supervisor."""

    def __init__(self, *, number: int, telling: int, lifeline: int, sign_seconds: float) -> None:
        """`telling` is written to, `lifeline` watched; both are open descriptors.

        `number` counts from 1. A sign of life is given every `sign_seconds`.
        """
        self.number = number
        self._telling = telling
        self._lifeline = lifeline
        self._sign_seconds = sign_seconds
        os.set_blocking(telling, False)

    def tell_ready(self) -> None:
        """Tell that this worker takes connections."""
        self._tell(SERVES)

    async def give_signs(self, clock: Clock) -> None:
        """Tell that the event loop turns, until cancelled."""
        while True:
            self._tell(LIVES)
            await clock.sleep(self._sign_seconds)

    def when_alone(self, end: Callable[[], None]) -> None:
        """Call `end` once the supervisor is gone; needs a running loop."""
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(self._lifeline)
            end()

        loop.add_reader(self._lifeline, gone)

    def _tell(self, word: bytes) -> None:
        # A pipe that is full has signs enough; one without a reader ends the other line too.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._telling, word)
