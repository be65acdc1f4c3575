"""How a process comes to its stop: it is asked to, has itself left out, and then ends.

A load balancer learns from `/readyz` that a node is about to go, and needs some seconds for it.
Whoever closed first would refuse connections that are on their way to it already.
"""

import asyncio

import structlog

from smarthost.clock import Clock

log = structlog.get_logger("smarthost.app")


class Stop:
    """The stop of one process. Belongs to its event loop."""

    def __init__(self, drain_seconds: float, clock: Clock) -> None:
        """`drain_seconds` pass from the asking to the stop; with 0 they are one."""
        self.asked = asyncio.Event()
        """Set once somebody wants the process to end, and before `begun`."""
        self.begun = asyncio.Event()
        """Set when it ends what it does."""
        self._drain_seconds = drain_seconds
        self._clock = clock

    def ask(self) -> None:
        """Have it stop; whoever asks again changes nothing."""
        if not self.asked.is_set():
            self.asked.set()
            if not self._drain_seconds:
                self.begun.set()

    def begin(self) -> None:
        """Have it stop now."""
        self.asked.set()
        self.begun.set()

    async def wait(self) -> None:
        """Return when it is to end what it does."""
        await self.asked.wait()
        if not self.begun.is_set():
            log.info("draining", seconds=self._drain_seconds)
            await self._clock.sleep(self._drain_seconds)
            self.begun.set()
