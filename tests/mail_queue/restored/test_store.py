import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import HeldFor, Kind, State
from smarthost.mail_queue.outcomes.model import Verdict
from smarthost.mail_queue.overview.store import Overview
from smarthost.mail_queue.restored.store import hold_back
from smarthost.mail_queue.schedule import MOST_DEATHS
from smarthost.mail_queue.store import QueueStore
from tests.clocks import START
from tests.engines import executing
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.ledger import check
from tests.mail_queue.messages import ANNA, BORIS, BY, attempted, submit_mail, submit_test
from tests.mail_queue.states import put

RECIPIENTS = """
SELECT state, held_for, due_at, attempts_count, in_doubt FROM recipients
WHERE portal_id = $1 ORDER BY message_id, address"""
HELD = ("held", "restored", None)
CODES = {
    State.SENT: None,
    State.FAILED: Code.RECIPIENT_REFUSED,
    State.EXPIRED: Code.TIMED_OUT,
    State.CANCELLED: Code.TIMED_OUT,
    State.HELD: Code.INTERRUPTED,
}
DAY = 86_400 * MICROSECONDS
MANY_RECIPIENTS = 20_001
MANY = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
INSERT INTO recipients
    (portal_id, message_id, address, kind, state, due_at, attempts_count, in_doubt, deaths)
SELECT portal_id, message_id, address || n, kind, state, due_at + n, 0, 0, 0
FROM recipients, numbers"""


async def held_back(database: Database, portal: str) -> int:
    async def work(tx: Transaction) -> int:
        return await hold_back(tx, portal, START + 7)

    held = await database.transact(work)
    await check(database)
    return held


async def test_mail_that_waited_is_held_and_nothing_is_due(
    database: Database, intake: Intake, store: QueueStore, portal: str, neighbour: str
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    await submit_mail(intake, portal, scheduled_at=START + DAY)
    await submit_mail(intake, neighbour)
    assert await held_back(database, portal) == 3
    assert await database.fetch(RECIPIENTS, portal) == [(*HELD, 0, 0)] * 3
    assert [turn.portal_id for turn in await store.due_turns(Kind.MAIL, at_most=9)] == [neighbour]
    assert await store.claim(portal, Kind.MAIL, ()) == []


async def test_a_long_queue_is_held_to_its_end(
    database: Database, intake: Intake, portal: str
) -> None:
    await submit_mail(intake, portal)
    await database.transact(executing(MANY, MANY_RECIPIENTS))
    assert await held_back(database, portal) == MANY_RECIPIENTS + 1
    waiting = "SELECT count(*) FROM recipients WHERE due_at IS NOT NULL"
    assert await database.fetch(waiting) == [(0,)]


@pytest.mark.parametrize(
    ("step", "tried", "doubt"), [(None, 0, 0), (Step.CONNECT, 1, 0), (Step.DATA, 1, 1)]
)
async def test_what_was_being_sent_is_held_with_the_end_of_its_attempt_told(
    database: Database,
    intake: Intake,
    store: QueueStore,
    portal: str,
    step: Step | None,
    tried: int,
    doubt: int,
) -> None:
    await submit_mail(intake, portal)
    await submit_mail(intake, portal)
    begun, other = await store.claim(portal, Kind.MAIL, (), at_most=2)
    claim = other if step is None else begun
    if step is not None:
        await store.record_step(claim, step)
    assert await held_back(database, portal) == 2
    assert (*HELD, tried, doubt) in await database.fetch(RECIPIENTS, portal)
    told = await database.fetch(
        "SELECT code, in_doubt FROM attempts WHERE message_id = $1", claim.message_id
    )
    assert told == [(Code.INTERRUPTED.value, doubt)] * tried
    late = await store.record(claim, attempted(claim))
    assert not late.kept, "whoever held it then changes nothing now"


async def test_a_back_up_is_no_death_of_a_worker(
    database: Database, intake: Intake, store: QueueStore, portal: str
) -> None:
    await submit_mail(intake, portal)
    (claim,) = await store.claim(portal, Kind.MAIL, ())
    deaths = MOST_DEATHS - 1

    async def die(tx: Transaction) -> None:
        await tx.execute("UPDATE recipients SET deaths = $1", deaths)

    await database.transact(die)
    await store.record_step(claim, Step.TLS)
    assert await held_back(database, portal) == 1
    rows = await database.fetch("SELECT held_for, deaths FROM recipients")
    assert rows == [("restored", deaths)]


async def test_what_has_ended_or_is_held_already_stays_as_it_is(
    database: Database, intake: Intake, portal: str
) -> None:
    for state, code in CODES.items():
        message_id = await submit_mail(intake, portal)
        await put(database, (portal, message_id), state, at=START, code=code)
    before = await database.fetch(RECIPIENTS, portal)
    assert await held_back(database, portal) == 0
    assert await database.fetch(RECIPIENTS, portal) == before


async def test_tests_end_and_notices_are_not_sent(
    database: Database, intake: Intake, store: QueueStore, portal: str
) -> None:
    await submit_mail(intake, portal, kind=Kind.NOTICE)
    await submit_test(intake, portal)
    (running,) = await store.claim(portal, Kind.TEST, ())
    await store.record_step(running, Step.TLS)
    assert await held_back(database, portal) == 0
    states = await database.fetch("SELECT kind, state, ended_at FROM recipients ORDER BY kind")
    assert states == [
        ("notice", "cancelled", START + 7),
        ("test", "failed", START + 7),
    ]


async def test_a_hold_of_that_day_is_gone(
    database: Database, intake: Intake, store: QueueStore, portal: str
) -> None:
    """Its administrators are not written to for it either."""
    await submit_mail(intake, portal)
    (claim,) = await store.claim(portal, Kind.MAIL, ())
    failed = attempted(claim, Result.DEFERRED, step=Step.CONNECT, code=Code.CONNECTION_REFUSED)
    await store.record(claim, failed, Verdict(holds=True))
    assert await database.fetch("SELECT count(*) FROM relay_holds") == [(1,)]
    assert await held_back(database, portal) == 1
    assert await database.fetch("SELECT count(*) FROM relay_holds") == [(0,)]


async def test_what_is_released_goes_at_once_and_what_was_scheduled_at_its_moment(
    database: Database, intake: Intake, messages: MessageStore, clock: HeldClock, portal: str
) -> None:
    at_once = await submit_mail(intake, portal)
    gone_by = await submit_mail(intake, portal, scheduled_at=START + 5)
    later = await submit_mail(intake, portal, scheduled_at=START + DAY)
    await held_back(database, portal)
    clock.advance(60)
    for message_id in (at_once, gone_by, later):
        await messages.release(portal, message_id, by=BY, held_for=HeldFor.RESTORED)
    due = await database.fetch("SELECT due_at FROM recipients ORDER BY due_at")
    assert due == [(clock.now(),), (clock.now(),), (START + DAY,)]
    await check(database)


@pytest.mark.parametrize("what", ["release", "cancel"])
async def test_what_is_held_for_another_reason_is_not_meant(
    database: Database, intake: Intake, messages: MessageStore, portal: str, what: str
) -> None:
    message_id = await submit_mail(intake, portal, ANNA, BORIS)
    await put(database, (portal, message_id), State.HELD, at=START, address=BORIS, attempts=0)
    await held_back(database, portal)
    assert await Overview(database).restored() == {portal: 1}
    do = messages.release if what == "release" else messages.cancel
    await do(portal, message_id, by=BY, held_for=HeldFor.RESTORED)
    rows = await database.fetch("SELECT address, held_for FROM recipients ORDER BY address")
    assert rows == [(ANNA, None), (BORIS, "in_doubt")]
    assert await Overview(database).restored() == {}
