"""Nodes that deliver from one PostgreSQL, in one process of a test."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from smarthost.clock import Clock
from smarthost.database.engine import Row, StoreUnavailableError, Value
from smarthost.delivery.outcome import Outcome, Report
from smarthost.delivery.relay import RelaySettings
from smarthost.ids import Ids
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.nodes.membership import Membership
from smarthost.mail_queue.nodes.store import NodeStore
from tests.engines import migrated_database, open_database
from tests.mail_queue.scripted import Faltering, Scripted, accept_all
from tests.mail_queue.workers import delivering, worker_of
from tests.mail_queue.working import relay_of


class Cut(Faltering):
    """A store that is out of reach while it is `full`."""

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        if self.full:
            raise StoreUnavailableError("the way to the server is cut")
        return await super().fetch(sql, *values)

    async def note(self, sql: str, *values: Value) -> None:
        if self.full:
            raise StoreUnavailableError("the way to the server is cut")
        await super().note(sql, *values)


class Node:
    """What one process has of the queue; cut off from the server while `database.full`."""

    def __init__(self, database: Cut, clock: Clock, name: str) -> None:
        self.database = database
        self.attempt = Scripted()
        self.leases = LeaseStore(database, clock)
        self.member = Membership(
            NodeStore(database, clock),
            name,
            clock,
            take_over=self.leases.take_over_from,
            leave=self.leases.leave,
        )
        self.parts = delivering(database, clock, relay_of, self.attempt, member=self.member)
        self.store = self.parts.store
        self.worker = worker_of(self.parts, self.member, clock, 2.0)
        ids = Ids(clock)
        self.intake = Intake(database, ArrivalStore(database, clock), ids, self.worker.wake)
        self.quiet = Intake(database, ArrivalStore(database, clock), ids, lambda: None)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.worker.run())
        saying = asyncio.create_task(self.member.run())
        try:
            yield
        finally:
            self.worker.stop()
            await asyncio.wait_for(running, 10)
            saying.cancel()


@asynccontextmanager
async def several(folder: Path, clock: Clock, count: int) -> AsyncIterator[list[Node]]:
    """Give nodes that do nothing yet, by the order of their names."""
    async with migrated_database("postgresql", folder) as one:
        databases = [one, *(open_database("postgresql", folder) for _ in range(count - 1))]
        yield [
            Node(Cut(database), clock, f"node {number}")
            for number, database in enumerate(databases)
        ]
        for database in databases[1:]:
            await database.close()


class Taking:
    """A relay that takes everything, and remembers how often."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}

    async def __call__(
        self, settings: RelaySettings, envelope: Envelope, report: Report
    ) -> Sequence[Outcome]:
        outcomes = await accept_all(settings, envelope, report)
        for recipient in envelope.recipients:
            self.taken[recipient] = self.taken.get(recipient, 0) + 1
        return outcomes
