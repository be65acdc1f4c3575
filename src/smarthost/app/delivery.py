"""The delivering side of an installation: the queue, its worker, and the connections to relays.

Every command that accepts or delivers is built from the same parts; whether this process delivers
is decided by the lock that the worker waits for.
"""

from collections.abc import Sequence

from smarthost.app.relays import Relays
from smarthost.clock import Clock
from smarthost.config import Config
from smarthost.database.engine import Database
from smarthost.delivery.attempt import attempt
from smarthost.delivery.outcome import Outcome, Report
from smarthost.delivery.pool import Pool
from smarthost.delivery.relay import RelaySettings
from smarthost.ids import Ids
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.courier import Courier
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.lock import DeliveryLock
from smarthost.mail_queue.store import QueueStore
from smarthost.mail_queue.worker import Worker
from smarthost.smtp.egress import Policy, SystemResolver

_LOCK_FILE = "delivery.lock"
# A test is a proof from the start: every attempt makes a connection of its own.
_IDLE_SECONDS = 0.0


class Delivery:
    """Accepts messages and, from `run` to `stop`, hands them to relays."""

    def __init__(
        self, config: Config, database: Database, relays: Relays, clock: Clock, ids: Ids
    ) -> None:
        self._clock = clock
        self._connections = Pool(
            policy=Policy(config.relay_networks),
            resolver=SystemResolver(),
            clock=clock,
            idle_seconds=_IDLE_SECONDS,
        )
        self.queue = QueueStore(database, clock, ids)
        courier = Courier(self.queue, relays.of, self._attempt, clock)
        lock = DeliveryLock(config.data_dir / _LOCK_FILE)
        self._worker = Worker(self.queue, courier, lock, clock)
        self.intake = Intake(database, self.queue, ids, self._worker.wake)

    async def run(self) -> None:
        """Deliver until `stop`; the connections are closed when the worker has ended."""
        try:
            await self._worker.run()
        finally:
            await self._connections.close()

    def stop(self) -> None:
        """Take nothing new, give attempts under way a few seconds, and let `run` return."""
        self._worker.stop()

    async def _attempt(
        self,
        settings: RelaySettings,
        envelopes: Sequence[Envelope],
        *,
        report: Report,
        deadline_seconds: float,
    ) -> Sequence[Outcome]:
        return await attempt(
            settings,
            envelopes,
            connections=self._connections,
            clock=self._clock,
            report=report,
            deadline_seconds=deadline_seconds,
        )
