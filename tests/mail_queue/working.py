"""A worker with all that it works on, and what a test asks of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Outcome, Report, Result, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.ids import Ids
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.lock import DeliveryLock
from smarthost.mail_queue.trip import RelayOf
from smarthost.mail_queue.worker import Worker
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import outcome, relay
from tests.mail_queue.scripted import Faltering, Scripted, accept_all, until
from tests.mail_queue.workers import Delivering, delivering, worker_of

COUNT = "SELECT count(*) FROM recipients WHERE state = $1"


async def relay_of(portal_id: str) -> RelaySettings:
    """Each portal has a relay of its own, as in the field."""
    return relay(portal_id, host=f"{portal_id}.example.com")


class Outage:
    """A relay that is away until `back` seconds have passed, and then takes everything."""

    def __init__(self, clock: HeldClock, back: float) -> None:
        self._clock = clock
        self._back = back

    async def __call__(
        self, settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        if self._clock.monotonic() >= self._back:
            return await accept_all(settings, envelope, report)
        return away(envelope)


def away(envelope: Envelope) -> list[Outcome]:
    """What becomes of a message whose relay is not there."""
    return [
        outcome(
            one,
            Result.DEFERRED,
            step=Step.CONNECT,
            code=Code.CONNECTION_REFUSED,
        )
        for one in envelope.recipients
    ]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A worker that is not running yet, and what it works on."""

    worker: Worker
    database: Faltering
    lock: DeliveryLock
    attempt: Scripted
    clock: HeldClock
    intake: Intake
    """Wakes the worker."""
    quiet: Intake
    """Another process's: wakes nobody."""
    parts: Delivering

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.worker.run())
        try:
            yield
        finally:
            self.worker.stop()
            await asyncio.wait_for(running, 10)

    def are(self, state: str, count: int) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return await self.count(state) == count

        return look

    def asked(self, count: int) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return len(self.attempt.asked) == count

        return look

    async def count(self, state: str) -> int:
        return int((await self.database.fetch(COUNT, state))[0][0])

    async def idle(self) -> None:
        """Return when somebody waits for time to pass: the worker, or an attempt's follower."""
        await until(self.clock.is_slept_on)

    async def quiet_down(self) -> None:
        """Return when nothing is carried, and the worker waits for something to do."""

        async def is_quiet() -> bool:
            busy = self.worker._carried or self.worker._woken.is_set()
            return not busy and await self.clock.is_slept_on()

        await until(is_quiet)


def make_bench(
    database: Database, clock: HeldClock, folder: Path, relay_of: RelayOf = relay_of
) -> Bench:
    faltering = Faltering(database)
    attempt = Scripted()
    lock = DeliveryLock(folder / "delivery.lock")
    parts = delivering(faltering, clock, relay_of, attempt)
    worker = worker_of(parts, lock, clock, 2.0)
    arrivals, ids = ArrivalStore(database, clock), Ids(clock)
    return Bench(
        worker=worker,
        database=faltering,
        lock=lock,
        attempt=attempt,
        clock=clock,
        intake=Intake(database, arrivals, ids, worker.wake),
        quiet=Intake(database, arrivals, ids, lambda: None),
        parts=parts,
    )
