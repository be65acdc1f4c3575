"""Nothing of a suspended portal is sent, none of it is lost, and it goes on by itself."""

import asyncio
from pathlib import Path

import pytest

from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.model import Kind, State
from smarthost.mail_queue.outcomes.model import Verdict
from smarthost.mail_queue.schedule import FEWEST_TRIES, LEASE_SECONDS, TEST_SECONDS, Patience
from smarthost.mail_queue.store import QueueStore
from smarthost.mail_queue.turns.store import refresh_all
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import BY, attempted, submit_mail, submit_test
from tests.mail_queue.scripted import Held, accept_all, until
from tests.mail_queue.working import make_bench
from tests.suspending import Suspending

STATES = "SELECT state, attempts_count FROM recipients ORDER BY message_id"
WEEK = 7 * 24 * 3600.0


@pytest.fixture
def suspending(database: Database, clock: HeldClock) -> Suspending:
    return Suspending(database, clock, refresh_all)


async def due(store: QueueStore, kind: Kind = Kind.MAIL) -> list[str]:
    return [turn.portal_id for turn in await store.due_turns(kind, at_most=9)]


@pytest.mark.parametrize("kind", [Kind.MAIL, Kind.NOTICE])
async def test_a_suspended_portal_has_no_turn_and_nothing_to_claim(
    store: QueueStore,
    intake: Intake,
    suspending: Suspending,
    portal: str,
    neighbour: str,
    kind: Kind,
) -> None:
    await submit_mail(intake, portal, kind=kind)
    await submit_mail(intake, neighbour, kind=kind)
    await suspending.suspend(portal)
    assert await due(store, kind) == [neighbour]
    assert await store.claim(portal, kind, ()) == []
    assert len(await store.claim(neighbour, kind, ())) == 1
    await suspending.resume(portal)
    assert await due(store, kind) == [portal]
    assert len(await store.claim(portal, kind, ())) == 1


async def test_what_a_person_does_to_its_mail_does_not_send_it(
    store: QueueStore,
    intake: Intake,
    messages: MessageStore,
    suspending: Suspending,
    portal: str,
    clock: HeldClock,
) -> None:
    late = await submit_mail(intake, portal, scheduled_at=clock.now() + 60_000_000)
    unwanted = await submit_mail(intake, portal)
    await suspending.suspend(portal)
    await submit_mail(intake, portal)  # a request that was under way
    await messages.reschedule(portal, late, clock.now(), by=BY)
    await messages.cancel(portal, unwanted, by=BY)
    assert await due(store) == []
    await suspending.resume(portal)
    assert len(await store.claim(portal, Kind.MAIL, (), at_most=9)) == 2


async def test_a_test_that_waits_is_over_and_not_sent_afterwards(
    store: QueueStore,
    intake: Intake,
    messages: MessageStore,
    suspending: Suspending,
    portal: str,
    clock: HeldClock,
) -> None:
    await submit_test(intake, portal)
    await suspending.suspend(portal)
    assert await due(store, Kind.TEST) == []
    clock.advance(TEST_SECONDS)
    await suspending.resume(portal)
    assert await store.claim(portal, Kind.TEST, ()) == []
    last = await messages.last_test(portal)
    assert last is not None
    assert last.state is State.EXPIRED


async def test_a_hold_is_not_probed_and_is_there_afterwards(
    store: QueueStore, intake: Intake, suspending: Suspending, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    (claim,) = await store.claim(portal, Kind.MAIL, ())
    away = attempted(
        claim, Result.DEFERRED, step=Step.CONNECT, code=Code.CONNECTION_REFUSED, revision=3
    )
    await store.record(claim, away, Verdict(holds=True))
    await suspending.suspend(portal)
    clock.advance(3600)
    assert await store.claim(portal, Kind.MAIL, ()) == []
    await suspending.resume(portal)
    (claim,) = await store.claim(portal, Kind.MAIL, ())
    assert claim.probe


async def test_the_time_of_a_suspension_makes_no_mail_expire(
    database: Database, intake: Intake, suspending: Suspending, portal: str, clock: HeldClock
) -> None:
    patience = Patience(retry_seconds=1.0, expire_seconds=3600.0)
    store = QueueStore(database, clock, intake._ids, patience=patience, luck=lambda: 0.5)

    async def defer() -> None:
        (claim,) = await store.claim(portal, Kind.MAIL, ())
        await store.record(claim, attempted(claim, Result.DEFERRED, code=Code.RATE_LIMITED))
        clock.advance(600)

    await submit_mail(intake, portal)
    for _ in range(FEWEST_TRIES - 4):
        await defer()
    await suspending.suspend(portal)
    clock.advance(WEEK)
    await suspending.resume(portal)
    for _ in range(FEWEST_TRIES - 2):
        await defer()
    assert (await database.fetch(STATES))[0][0] == "queued"
    await defer()
    assert (await database.fetch(STATES))[0][0] == "expired"


async def test_what_is_sent_finishes_and_the_rest_of_its_batch_goes_back(
    database: Database, clock: HeldClock, tmp_path: Path, suspending: Suspending, portal: str
) -> None:
    bench = make_bench(database, clock, tmp_path)
    held = Held(Step.DATA)
    bench.attempt.script = held
    for _ in range(3):
        await submit_mail(bench.quiet, portal)
    async with bench.working():
        await asyncio.wait_for(held.reached.wait(), 10)
        await suspending.suspend(portal)
        held.go.set()
        await until(bench.are("queued", 2))
        await bench.quiet_down()
        assert len(bench.attempt.asked) == 1
        assert await database.fetch(STATES) == [("sent", 1), ("queued", 0), ("queued", 0)]
        bench.attempt.script = accept_all
        await suspending.resume(portal)
        clock.advance(1)
        await until(bench.are("sent", 3))
    assert len(bench.attempt.asked) == 3


async def test_what_a_dead_worker_left_waits_too(
    database: Database,
    store: QueueStore,
    intake: Intake,
    suspending: Suspending,
    portal: str,
    clock: HeldClock,
) -> None:
    await submit_mail(intake, portal)
    (claim,) = await store.claim(portal, Kind.MAIL, ())
    await suspending.suspend(portal)
    clock.advance(LEASE_SECONDS + 1)
    assert await due(store) == []
    assert await LeaseStore(database, clock).take_over(Kind.MAIL) == 1
    assert await due(store) == []
    await suspending.resume(portal)
    (again,) = await store.claim(portal, Kind.MAIL, ())
    assert (again.message_id, again.recipients[0].attempt) == (claim.message_id, 2)


async def test_no_more_leaves_after_it_than_at_any_time(
    database: Database, clock: HeldClock, tmp_path: Path, suspending: Suspending, portal: str
) -> None:
    bench = make_bench(database, clock, tmp_path)
    bench.attempt.script = Held(Step.DATA)
    for _ in range(40):
        await submit_mail(bench.quiet, portal)
    await suspending.suspend(portal)
    async with bench.working():
        await bench.quiet_down()
        assert bench.attempt.asked == []
        await suspending.resume(portal)
        clock.advance(1)
        # Ten connections are the most that an unknown relay gets.
        await until(bench.are("sending", 40))
        assert len(bench.attempt.asked) <= 10
