"""Brings what happens to the metrics, in the metrics' own words."""

import asyncio
from collections.abc import Sequence

from smarthost.app.crew import Crew
from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.mail_queue.census.store import CensusStore
from smarthost.mail_queue.model import Attempted
from smarthost.metrics.mail import MailMetrics
from smarthost.metrics.metrics import Exposition, Metrics
from smarthost.metrics.queue import Waiting
from smarthost.webhooks.model import NotTaken

FRESH_SECONDS = 10.0
"""How long a count of the queue is shown before it is taken anew."""


def count_attempts(metrics: MailMetrics, attempted: Sequence[Attempted]) -> None:
    """Count the attempt for one message, which has an end for each recipient."""
    for one in attempted:
        code = "" if one.code is None else one.code.value
        metrics.attempt_ended(_relay(metrics, one), one.result.value, code)
    first = attempted[0]
    if first.microseconds is not None:
        metrics.attempt_took(_relay(metrics, first), first.microseconds / MICROSECONDS)


def count_call(metrics: MailMetrics, failure: NotTaken | None) -> None:
    """Count an event that was sent to a webhook's receiver."""
    metrics.webhook_called("taken" if failure is None else failure.value)


class MetricsReading:
    """What a reader of the metrics gets; what waits is counted for it, and not too often."""

    def __init__(self, metrics: Metrics, census: CensusStore, crew: Crew, clock: Clock) -> None:
        self._metrics = metrics
        self._crew = crew
        self._census = census
        self._clock = clock
        self._counting = asyncio.Lock()
        self._counted_at = float("-inf")

    async def expose(self, accept: str) -> Exposition:
        """Return all metrics; those of the queue are left out while the store is out of reach."""
        async with self._counting:  # others wait for the same count
            if self._clock.monotonic() - self._counted_at >= FRESH_SECONDS:
                self._metrics.queue.waiting = await self._count()
                self._counted_at = self._clock.monotonic()
        by_worker = await self._crew.families()
        # Thousands of series take some time to write down.
        return await asyncio.to_thread(self._metrics.expose, accept, by_worker)

    async def _count(self) -> Waiting | None:
        try:
            census = await self._census.take()
        except StoreUnavailableError:
            return None
        return Waiting(
            queued=census.queued,
            sending=census.sending,
            held=census.held,
            oldest_due_seconds=census.oldest_due_seconds,
            own_relays_on_hold=census.holds_of_own,
            default_relay_on_hold=census.holds_of_default,
        )


def _relay(metrics: MailMetrics, one: Attempted) -> str:
    return metrics.relay(one.relay_host, one.relay_port, default=bool(one.default_relay))
