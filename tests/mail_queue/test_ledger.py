"""Whatever happens to the queue in whatever order, its rows tell one true story."""

import asyncio
import tempfile
from collections.abc import Collection, Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from smarthost.audit.store import AuditLog
from smarthost.clock import MICROSECONDS
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.model import NotPossibleError
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.holds.model import fails_for_all
from smarthost.mail_queue.holds.store import HoldStore, lift
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.jumps import Jumps
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.model import Attempted, Claim, Kind
from smarthost.mail_queue.outcomes.model import Verdict
from smarthost.mail_queue.schedule import LEASE_SECONDS
from smarthost.mail_queue.statistics.model import HOUR
from smarthost.mail_queue.statistics.store import StatisticsStore
from smarthost.mail_queue.store import QueueStore
from tests.engines import migrated_database
from tests.mail_queue import ledger
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.conftest import make_portal
from tests.mail_queue.messages import BY, submit_mail
from tests.mail_queue.values import tried

T = TypeVar("T")

ENDS = st.sampled_from(
    [
        (Result.ACCEPTED, Step.DATA, None, False),
        (Result.DEFERRED, Step.DATA, Code.TIMED_OUT, True),
        (Result.DEFERRED, Step.RECIPIENT, Code.TEMPORARILY_REFUSED, False),
        (Result.DEFERRED, Step.CONNECT, Code.CONNECTION_REFUSED, False),
        (Result.DEFERRED, Step.CONNECT, Code.INTERRUPTED, False),
        (Result.REFUSED, Step.RECIPIENT, Code.RECIPIENT_REFUSED, False),
    ]
)
PORTALS = st.integers(0, 1)
LATEST = 10_000_000 * HOUR


class Queue(RuleBasedStateMachine):
    """Applications, people, workers that live and die, and a clock that is set."""

    engine = "sqlite"

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = HeldClock()
        self.held: list[Claim] = []
        self.messages: list[tuple[str, str]] = []
        self.accepted = self.sent = self.expired_untried = 0
        self.run(self._open())

    async def _open(self) -> None:
        clock, ids = self.clock, Ids(self.clock)
        self.database = await self.stack.enter_async_context(
            migrated_database(self.engine, Path(self.folder.name))
        )
        self.intake = Intake(self.database, ArrivalStore(self.database, clock), ids, lambda: None)
        self.store = QueueStore(
            self.database, clock, ids, luck=lambda: 0.5, jumps=Jumps(clock), keeps_sent=False
        )
        self.people = MessageStore(self.database, AuditLog(clock, ids), clock)
        self.leases = LeaseStore(self.database, clock)
        self.holds = HoldStore(self.database, clock)
        self.portals = [await make_portal(self.database, clock, f"p{n}") for n in range(2)]

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @rule(portal=PORTALS, recipients=st.integers(1, 3), once=st.booleans(), late=st.booleans())
    def submit(self, portal: int, recipients: int, once: bool, late: bool) -> None:
        self.clock.advance(0.001)  # so that ids, which begin with the time, have one order
        now = self.clock.now()
        whose = self.portals[portal]
        message_id = self.run(
            submit_mail(
                self.intake,
                whose,
                *(f"r{number}@example.org" for number in range(recipients)),
                at_most_once=once,
                scheduled_at=now + 90 * MICROSECONDS if late else None,
                expires_at=now + 9_000 * MICROSECONDS if once and late else None,
            )
        )
        self.messages.append((whose, message_id))
        self.accepted += recipients

    @rule(portal=PORTALS, at_most=st.integers(1, 4), knows=st.booleans())
    def claim(self, portal: int, at_most: int, knows: bool) -> None:
        own = {claim.id for claim in self.held} if knows else set()
        claims = self.run(self._claim(self.portals[portal], own, at_most))
        assert sum(len(claim.recipients) for claim in claims) >= len(claims)
        self.held += claims

    async def _claim(self, portal: str, own: Collection[str], at_most: int) -> list[Claim]:
        before = await self._count("recipients WHERE state = 'expired'")
        claims = await self.store.claim(portal, Kind.MAIL, own, at_most)
        after = await self._count("recipients WHERE state = 'expired'")
        self.expired_untried += after - before
        return claims

    @precondition(lambda self: self.held)
    @rule(data=st.data(), step=st.sampled_from(Step))
    def step(self, data: st.DataObject, step: Step) -> None:
        self.run(self.store.record_step(data.draw(st.sampled_from(self.held)), step))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), crowded=st.booleans(), forgets=st.booleans())
    def record(self, data: st.DataObject, crowded: bool, forgets: bool) -> None:
        """Once more perhaps, by a worker that does not know that it has."""
        claim = data.draw(st.sampled_from(self.held))
        ended = [
            self._ended(claim, number, data.draw(ENDS)) for number in range(len(claim.recipients))
        ]
        holds = any(map(fails_for_all, ended)) and not crowded
        recorded = self.run(self.store.record(claim, ended, Verdict(holds=holds, crowded=crowded)))
        if recorded.kept:
            self.sent += sum(one.result is Result.ACCEPTED for one in ended)
        if not forgets:
            self.held.remove(claim)

    def _ended(
        self, claim: Claim, number: int, end: tuple[Result, Step, Code | None, bool]
    ) -> Attempted:
        result, step, code, in_doubt = end
        return tried(
            code,
            step,
            address=claim.recipients[number].address,
            attempt=claim.recipients[number].attempt,
            started_at=claim.started_at,
            result=result,
            permanent=result is Result.REFUSED,
            in_doubt=in_doubt,
        )

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.held))
        self.held.remove(claim)
        self.run(self.store.give_back([claim]))

    @rule()
    def die(self) -> None:
        """What was held is still in somebody's memory: a late writer."""
        self.run(self.leases.take_over(Kind.MAIL))

    @rule()
    def begin_to_deliver(self) -> None:
        self.run(self.holds.probe_all())

    @rule(portal=PORTALS)
    def save_settings(self, portal: int) -> None:
        self.run(self.database.transact(lambda tx: lift(tx, self.portals[portal])))

    @rule(seconds=st.sampled_from([1, LEASE_SECONDS, 300, 3600, 5 * 86_400]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(seconds=st.sampled_from([3600, 10 * 365 * 86_400]), back=st.booleans())
    def set_clock(self, seconds: int, back: bool) -> None:
        self.clock.jump(-seconds if back else seconds)
        if back:
            self.run(self.leases.shift(seconds * MICROSECONDS))

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), what=st.sampled_from(["cancel", "retry", "release"]))
    def ask(self, data: st.DataObject, what: str) -> None:
        portal, message_id = data.draw(st.sampled_from(self.messages))
        with suppress(NotPossibleError):
            self.run(getattr(self.people, what)(portal, message_id, by=BY))

    @invariant()
    def the_ledger_closes(self) -> None:
        if hasattr(self, "database"):
            self.run(self._check())

    async def _check(self) -> None:
        await ledger.check(self.database)
        assert await self._count("recipients") == self.accepted
        assert await self._count("recipients WHERE state = 'sent'") == self.sent
        points = [
            point
            for portal in self.portals
            for point in await StatisticsStore(self.database).points(portal, 0, LATEST, LATEST)
        ]
        untaken = sum(point.tally.deferred + point.tally.failed for point in points)
        attempts = await self._count("attempts WHERE result <> 'accepted'")
        assert untaken == attempts + self.expired_untried
        assert sum(point.tally.sent for point in points) == self.sent

    async def _count(self, what: str) -> int:
        return int((await self.database.fetch(f"SELECT count(*) FROM {what}"))[0][0])

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.run(self._drain())
            self.the_ledger_closes()
        finally:
            self.run(self.stack.aclose())
            self.runner.close()
            self.folder.cleanup()

    async def _drain(self) -> None:
        """Whatever has happened: a relay that takes everything gets everything that waits."""
        await self.leases.take_over(Kind.MAIL)
        for _ in range(100):
            rows = await self.database.fetch("SELECT max(due_at) FROM queue_turns")
            if rows[0][0] is None:
                return
            self.clock.jump(max(0, rows[0][0] - self.clock.now()) / MICROSECONDS + 1)
            for portal in self.portals:
                for claim in await self._claim(portal, (), 20):
                    accepted = [
                        self._ended(claim, number, (Result.ACCEPTED, Step.DATA, None, False))
                        for number in range(len(claim.recipients))
                    ]
                    assert (await self.store.record(claim, accepted)).kept
                    self.sent += len(accepted)
        raise AssertionError("mail is left that nobody takes")


class QueueOnPostgresql(Queue):
    """The same; there each step costs more."""

    engine = "postgresql"


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@pytest.mark.needs("postgres")
class TestQueueOnPostgresql(QueueOnPostgresql.TestCase):  # type: ignore[misc, valid-type]
    settings = settings(max_examples=6, stateful_step_count=30, deadline=None)
