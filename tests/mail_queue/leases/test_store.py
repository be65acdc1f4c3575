import pytest

from benchmarks.many_portals import more_alike, more_portals
from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.ids import Ids
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.model import Claim, Kind
from smarthost.mail_queue.schedule import LEASE_SECONDS, MOST_DEATHS
from smarthost.mail_queue.store import QueueStore
from smarthost.mail_queue.turns.store import let_go
from tests.clocks import START
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.many import Asked
from tests.mail_queue.messages import ANNA, BORIS, attempted, submit_mail, submit_test

RECIPIENTS = """
SELECT state, held_for, attempts_count, deaths, in_doubt FROM recipients ORDER BY message_id"""
ATTEMPTS = "SELECT attempt, step, code, in_doubt FROM attempts ORDER BY message_id, attempt"


@pytest.fixture
def leases(database: Database, clock: HeldClock) -> LeaseStore:
    return LeaseStore(database, clock)


async def claimed(store: QueueStore, portal: str, at_most: int = 1) -> list[Claim]:
    return await store.claim(portal, Kind.MAIL, (), at_most=at_most)


async def test_whoever_takes_over_waits_for_no_lease(
    leases: LeaseStore, store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    (dead,) = await claimed(store, portal)
    await store.record_step(dead, Step.DATA)
    assert await leases.take_over(Kind.MAIL) == 2
    assert await database.fetch(RECIPIENTS) == [("queued", None, 1, 1, 1)] * 2
    assert await database.fetch(ATTEMPTS) == [(1, "data", "interrupted", 1)] * 2
    assert not (await store.record(dead, attempted(dead))).kept
    (again,) = await claimed(store, portal)
    assert again.message_id == dead.message_id


async def test_what_the_dead_had_not_begun_goes_back_without_a_trace(
    leases: LeaseStore, store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    for _ in range(3):
        await submit_mail(intake, portal)
    begun, *_ = await claimed(store, portal, 3)
    await leases.take_over(Kind.MAIL)
    assert await database.fetch(RECIPIENTS) == [
        ("queued", None, 1, 1, 0),
        ("queued", None, 0, 0, 0),
        ("queued", None, 0, 0, 0),
    ]
    rows = await database.fetch("SELECT message_id, code FROM attempts")
    assert rows == [(begun.message_id, "interrupted")]


async def test_from_a_node_that_may_live_all_is_taken_that_has_not_left(
    leases: LeaseStore, intake: Intake, database: Database, clock: HeldClock, portal: str
) -> None:
    store = QueueStore(database, clock, Ids(clock), node="one")
    for _ in range(3):
        await submit_mail(intake, portal, ANNA, BORIS)
    leaving, begun, claimed_only = await claimed(store, portal, 6)
    await store.record_step(leaving, Step.DATA)
    await store.record_step(begun, Step.RECIPIENT)
    assert await leases.take_over_from("on") == 0
    assert await leases.take_over_from("one") == 4
    assert await leases.take_over_from("one") == 0
    assert await database.fetch(RECIPIENTS) == [
        *[("sending", None, 1, 0, 0)] * 2,
        *[("queued", None, 1, 1, 0)] * 2,
        *[("queued", None, 0, 0, 0)] * 2,
    ]
    for lost in (begun, claimed_only):
        assert not await store.record_step(lost, Step.DATA), "so it does not leave"
    assert (await store.record(leaving, attempted(leaving))).kept


async def test_taking_over_leaves_tests_and_waiting_mail_alone(
    leases: LeaseStore, store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    await submit_test(intake, portal)
    await store.claim(portal, Kind.TEST, ())
    await submit_mail(intake, portal)
    before = await database.fetch("SELECT * FROM recipients")
    assert await leases.take_over(Kind.MAIL) == 0
    assert await leases.take_over(Kind.NOTICE) == 0
    assert await database.fetch("SELECT * FROM recipients") == before


async def test_more_than_a_page_is_taken_over(
    leases: LeaseStore, store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    await submit_mail(intake, portal, *(f"r{number}@example.org" for number in range(1_000)))
    await claimed(store, portal)
    await submit_mail(intake, portal)
    assert await leases.take_over(Kind.MAIL) == 1_000
    assert await database.fetch("SELECT DISTINCT state FROM recipients") == [("queued",)]


async def test_a_message_that_takes_its_worker_along_is_held_the_third_time(
    leases: LeaseStore,
    store: QueueStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
) -> None:
    await submit_mail(intake, portal)
    for number in range(MOST_DEATHS):
        (claim,) = await claimed(store, portal)
        assert claim.recipients[0].attempt == number + 1
        await leases.take_over(Kind.MAIL)
        clock.advance(1)
    assert await database.fetch(RECIPIENTS) == [("held", "worker_deaths", 3, 3, 0)]
    assert await claimed(store, portal) == []


async def test_deaths_by_the_end_of_the_lease_count_as_well(
    store: QueueStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    for _ in range(MOST_DEATHS):
        assert len(await claimed(store, portal)) == 1
        clock.advance(LEASE_SECONDS)
    assert await claimed(store, portal) == []
    assert await database.fetch(RECIPIENTS) == [("held", "worker_deaths", 3, 3, 0)]


async def test_an_attempt_that_ended_forgets_the_deaths_before_it(
    leases: LeaseStore,
    store: QueueStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
) -> None:
    await submit_mail(intake, portal)
    for _ in range(MOST_DEATHS):
        await claimed(store, portal)
        await leases.take_over(Kind.MAIL)
        (claim,) = await claimed(store, portal)
        await store.record(claim, attempted(claim, Result.DEFERRED, code=Code.TIMED_OUT))
        clock.advance(4 * 3600)
    assert await database.fetch(RECIPIENTS) == [("queued", None, 6, 0, 0)]


async def test_what_must_not_arrive_twice_is_held_when_its_worker_died_over_it(
    leases: LeaseStore, store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    await submit_mail(intake, portal, at_most_once=True)
    (claim,) = await claimed(store, portal)
    await store.record_step(claim, Step.DATA)
    await leases.take_over(Kind.MAIL)
    assert await database.fetch(RECIPIENTS) == [("held", "in_doubt", 1, 1, 1)]


@pytest.mark.parametrize("hours", [1, 10 * 365 * 24])
async def test_a_clock_set_back_makes_nothing_wait_longer(
    leases: LeaseStore,
    store: QueueStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
    hours: int,
) -> None:
    await submit_mail(intake, portal)
    (tried,) = await claimed(store, portal)
    await store.record(tried, attempted(tried, Result.DEFERRED, code=Code.TIMED_OUT))
    await submit_mail(intake, portal)
    clock.jump(-hours * 3600)
    assert await store.due_turns(Kind.MAIL, at_most=9) == []
    await leases.shift(hours * 3600 * MICROSECONDS)
    (was_due,) = await claimed(store, portal)
    await store.record(was_due, attempted(was_due))
    clock.advance(299)
    assert await store.due_turns(Kind.MAIL, at_most=9) == []
    clock.advance(1)
    assert len(await claimed(store, portal)) == 1


async def test_a_moment_that_the_sender_chose_stays_where_it_is(
    leases: LeaseStore, store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    at = START + 7200 * MICROSECONDS
    await submit_mail(intake, portal, scheduled_at=at)
    await leases.shift(3600 * MICROSECONDS)
    assert await database.fetch("SELECT due_at FROM recipients") == [(at,)]
    assert await database.fetch("SELECT due_at FROM queue_turns") == [(at,)]


async def test_more_than_a_page_is_brought_nearer(
    leases: LeaseStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    for number in range(1_200):
        if number % 3 == 0:
            clock.advance(0.001)
        await submit_mail(intake, portal)
    before = await database.fetch("SELECT message_id, due_at FROM recipients ORDER BY 1")
    clock.jump(-60)
    await leases.shift(60 * MICROSECONDS)
    after = await database.fetch("SELECT message_id, due_at FROM recipients ORDER BY 1")
    assert after == [(key, due_at - 60 * MICROSECONDS) for key, due_at in before]


async def test_portals_with_nothing_cost_who_takes_over_no_question(
    database: Database, store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    await claimed(store, portal)
    await more_portals(database, portal, 400)
    for kind, at_most in ((Kind.MAIL, 20), (Kind.NOTICE, 1)):
        asked = Asked(database)
        await LeaseStore(asked, clock).take_over(kind)
        assert asked.asked <= at_most


async def test_portals_where_nothing_waits_cost_a_set_clock_no_question(
    database: Database, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    await more_portals(database, portal, 400)
    clock.advance(60)
    asked = Asked(database)
    await LeaseStore(asked, clock).shift(60 * MICROSECONDS)
    assert asked.asked <= 5


async def test_a_node_leaves_hundreds_of_portals_at_once(
    database: Database, intake: Intake, portal: str, clock: HeldClock
) -> None:
    node = QueueStore(database, clock, Ids(clock), node="node 1")
    await submit_mail(intake, portal)
    await node.claim(portal, Kind.MAIL, ())
    await more_portals(database, portal, 1_200)
    await more_alike(database, portal)
    left = "SELECT count(*) FROM queue_turns WHERE node IS NOT NULL"
    assert await database.fetch(left) == [(1_201,)]
    asked = Asked(database)
    await LeaseStore(asked, clock).leave("node 2")
    await LeaseStore(asked, clock).leave("node 1")
    assert await database.fetch(left) == [(0,)]
    assert asked.asked <= 2 + 2 * 3


async def test_a_node_that_leaves_takes_nothing_from_who_has_it_by_now(
    database: Database, intake: Intake, portal: str, neighbour: str, clock: HeldClock
) -> None:
    for whose, name in ((portal, "node 1"), (neighbour, "node 2")):
        await submit_mail(intake, whose)
        await QueueStore(database, clock, Ids(clock), node=name).claim(whose, Kind.MAIL, ())

    async def late(tx: Transaction) -> None:
        await let_go(tx, portals=[portal, neighbour], node="node 1")

    await database.transact(late)
    rows = await database.fetch("SELECT portal_id, node FROM queue_turns ORDER BY node IS NULL")
    assert rows == [(neighbour, "node 2"), (portal, None)]
