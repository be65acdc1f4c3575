import asyncio

import pytest

from benchmarks.many_portals import more_alike, more_portals
from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code
from smarthost.mail_queue.accepted.model import Idempotency
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Kind, State
from smarthost.mail_queue.removal.store import drop_bodies_of_sent
from smarthost.mail_queue.retention import SWEEP_SECONDS, Keep, Retention
from smarthost.mail_queue.store import QueueStore
from tests.engines import executing
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.many import Asked
from tests.mail_queue.messages import (
    ANNA,
    BORIS,
    BY,
    attempted,
    submission,
    submit_mail,
    submit_test,
)
from tests.mail_queue.scripted import Faltering, until
from tests.mail_queue.states import put

HOUR, DAY = 3600, 24 * 3600
KEEP = Keep(sent=HOUR, failed=7 * DAY)
UNENDED = (State.QUEUED, State.SENDING, State.HELD)
TABLES = (
    "SELECT count(*) FROM messages",
    "SELECT count(*) FROM message_bodies",
    "SELECT count(*) FROM recipients",
    "SELECT count(*) FROM attempts",
)


def retention(database: Database, clock: HeldClock, keep: Keep = KEEP) -> Retention:
    return Retention(database, keep, clock, lambda: True)


async def counts(database: Database) -> list[int]:
    """Of messages, bodies, recipients and attempts."""
    return [(await database.fetch(sql))[0][0] for sql in TABLES]


async def end(
    database: Database, portal: str, message_id: str, state: State, clock: HeldClock
) -> None:
    code = None if state is State.SENT else Code.MESSAGE_REFUSED
    await put(database, (portal, message_id), state, at=clock.now(), code=code)


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (State.SENT, KEEP.sent),
        (State.FAILED, KEEP.failed),
        (State.EXPIRED, KEEP.failed),
        (State.CANCELLED, KEEP.failed),
    ],
)
async def test_a_content_goes_when_its_time_after_the_end_is_over(
    intake: Intake,
    messages: MessageStore,
    database: Database,
    portal: str,
    clock: HeldClock,
    state: State,
    kept: int,
) -> None:
    message_id = await submit_mail(intake, portal)
    clock.advance(20 * DAY)
    await end(database, portal, message_id, state, clock)
    clock.advance(kept - 1)
    await retention(database, clock).sweep()
    assert await counts(database) == [1, 1, 1, 1]
    clock.advance(1)
    await retention(database, clock).sweep()
    assert await counts(database) == [1, 0, 1, 1]
    message = await messages.get(portal, message_id)
    assert message is not None
    assert not message.has_body


async def test_a_content_that_one_recipient_did_not_get_is_kept_longer(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    message_id = await submit_mail(intake, portal, ANNA, BORIS)
    await end(database, portal, message_id, State.SENT, clock)
    now = clock.now()
    await put(database, (portal, message_id), State.FAILED, at=now, address=BORIS, attempts=2)
    clock.advance(KEEP.failed - 1)
    await retention(database, clock).sweep()
    assert (await counts(database))[1] == 1
    clock.advance(1)
    await retention(database, clock).sweep()
    assert (await counts(database))[1] == 0


async def test_the_time_begins_when_the_last_recipient_has_ended(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    message_id = await submit_mail(intake, portal, ANNA, BORIS)
    await put(database, (portal, message_id), State.SENT, at=clock.now(), address=ANNA)
    clock.advance(31 * DAY)
    await put(database, (portal, message_id), State.SENT, at=clock.now(), address=BORIS)
    clock.advance(KEEP.sent - 1)
    await retention(database, clock).sweep()
    assert (await counts(database))[:2] == [1, 1]


@pytest.mark.parametrize("state", UNENDED)
async def test_mail_that_has_not_ended_stays_however_old_it_is(
    intake: Intake, database: Database, portal: str, clock: HeldClock, state: State
) -> None:
    message_id = await submit_mail(intake, portal, ANNA, BORIS)
    await end(database, portal, message_id, State.SENT, clock)
    await put(database, (portal, message_id), state, at=clock.now(), address=BORIS, attempts=2)
    clock.advance(10 * 365 * DAY)
    await retention(database, clock).sweep()
    assert await counts(database) == [1, 1, 2, 2]


async def test_after_a_month_nothing_is_left_of_a_message(
    intake: Intake, database: Database, portal: str, neighbour: str, clock: HeldClock
) -> None:
    for whose in (portal, neighbour):
        for state in (State.SENT, State.FAILED, State.EXPIRED, State.CANCELLED):
            await end(database, whose, await submit_mail(intake, whose), state, clock)
    clock.advance(30 * DAY - 1)
    await retention(database, clock).sweep()
    assert await counts(database) == [8, 0, 8, 8]
    clock.advance(1)
    await retention(database, clock).sweep()
    assert await counts(database) == [0, 0, 0, 0]


async def test_a_message_is_kept_as_long_as_its_content(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    message_id = await submit_mail(intake, portal)
    await end(database, portal, message_id, State.FAILED, clock)
    keep = Keep(sent=0, failed=90 * DAY)
    clock.advance(90 * DAY - 1)
    await retention(database, clock, keep).sweep()
    assert await counts(database) == [1, 1, 1, 1]
    clock.advance(1)
    await retention(database, clock, keep).sweep()
    assert await counts(database) == [0, 0, 0, 0]


async def test_the_last_test_stays_and_earlier_ones_go(
    intake: Intake, messages: MessageStore, database: Database, portal: str, clock: HeldClock
) -> None:
    first = await submit_test(intake, portal)
    await end(database, portal, first, State.FAILED, clock)
    second = await submit_test(intake, portal)
    await end(database, portal, second, State.FAILED, clock)
    clock.advance(365 * DAY)
    await retention(database, clock).sweep()
    assert await counts(database) == [1, 0, 1, 1]
    last = await messages.last_test(portal)
    assert last is not None
    assert (last.message_id, last.state) == (second, State.FAILED)


async def test_a_notice_goes_like_any_message(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    message_id = await submit_mail(intake, portal, kind=Kind.NOTICE)
    await end(database, portal, message_id, State.SENT, clock)
    clock.advance(30 * DAY)
    await retention(database, clock).sweep()
    assert await counts(database) == [0, 0, 0, 0]


async def test_an_idempotency_key_is_kept_for_eight_days(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    async def submit(key: str) -> bytes | None:
        asked = Idempotency(key=key, digest=b"d", answer=b"first")
        handed_in = [submission(intake, ANNA)]
        return await intake.submit(portal, handed_in, by=BY, owner=None, idempotency=asked)

    await submit("old")
    clock.advance(1)
    await submit("young")
    clock.advance(8 * DAY - 1.5)
    await retention(database, clock).sweep()
    assert await submit("old") == b"first"
    clock.advance(0.5)
    await retention(database, clock).sweep()
    assert await submit("young") == b"first"
    assert await submit("old") is None


async def test_counts_are_kept_for_400_days(
    intake: Intake,
    store: QueueStore,
    database: Database,
    portal: str,
    neighbour: str,
    clock: HeldClock,
) -> None:
    for whose in (portal, neighbour):
        await submit_mail(intake, whose)
        (claim,) = await store.claim(whose, Kind.MAIL, ())
        await store.record(claim, attempted(claim))
    since = clock.now() % (HOUR * MICROSECONDS) / MICROSECONDS
    for seconds, left in ((400 * DAY - since - 1, 2), (1, 0)):
        clock.advance(seconds)
        await retention(database, clock).sweep()
        assert await database.fetch("SELECT count(*) FROM mail_counts") == [(left,)]


async def test_more_than_a_page_goes_in_one_sweep(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    def asked(number: int) -> Idempotency:
        return Idempotency(key=str(number), digest=b"d", answer=b"a")

    many = [submission(intake, ANNA, BORIS) for _ in range(1_200)]
    await intake.submit(portal, many, by=BY, owner=None)
    for number in range(600):
        await intake.submit(portal, [], by=BY, owner=None, idempotency=asked(number))
    waiting = await submit_mail(intake, portal)
    ended = """
        UPDATE recipients SET state = 'sent', due_at = NULL, ended_at = $1
        WHERE message_id <> $2"""
    await database.transact(executing(ended, clock.now(), waiting))
    clock.advance(2 * HOUR)
    await retention(database, clock).sweep()
    assert await counts(database) == [1_201, 1, 2_401, 0]
    clock.advance(30 * DAY)
    await retention(database, clock).sweep()
    assert await counts(database) == [1, 1, 1, 0]
    assert await database.fetch("SELECT count(*) FROM idempotency_keys") == [(0,)]


async def test_a_try_that_begins_meanwhile_keeps_what_it_needs(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    """What was found old is looked at once more in the transaction that removes it."""
    message_id = await submit_mail(intake, portal)
    await end(database, portal, message_id, State.FAILED, clock)
    clock.advance(365 * DAY)
    old = retention(database, clock)._store
    await put(database, (portal, message_id), State.QUEUED, at=clock.now())
    await old.drop_bodies(portal, [message_id])
    await old.remove_messages(portal, [message_id])
    assert await counts(database) == [1, 1, 1, 1]


async def test_a_content_can_go_with_the_last_recipient_that_gets_it(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    message_id = await submit_mail(intake, portal, ANNA, BORIS)
    for address, left in ((ANNA, 1), (BORIS, 0)):
        await put(database, (portal, message_id), State.SENT, at=clock.now(), address=address)
        await database.transact(lambda tx: drop_bodies_of_sent(tx, portal, [message_id]))
        assert (await counts(database))[1] == left


async def test_the_one_who_delivers_sweeps_every_few_minutes_until_cancelled(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    message_id = await submit_mail(intake, portal)
    await end(database, portal, message_id, State.SENT, clock)
    ours = False
    sweeping = Retention(database, Keep(sent=0, failed=0), clock, lambda: ours)
    running = asyncio.create_task(sweeping.run())
    await until(clock.is_slept_on)
    for ours, left in ((False, 1), (True, 0)):  # noqa: B007 - the task reads it
        clock.advance(SWEEP_SECONDS)
        await until(clock.is_slept_on)
        assert (await counts(database))[1] == left
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_store_that_fails_is_tried_again_later(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    message_id = await submit_mail(intake, portal)
    await end(database, portal, message_id, State.SENT, clock)
    faltering = Faltering(database)
    sweeping = Retention(faltering, Keep(sent=0, failed=0), clock, lambda: True)
    running = asyncio.create_task(sweeping.run())
    await until(clock.is_slept_on)
    for full, left in ((True, 1), (False, 0)):
        faltering.full = full
        clock.advance(SWEEP_SECONDS)
        await until(clock.is_slept_on)
        assert (await counts(database))[1] == left
    running.cancel()
    await asyncio.wait({running})


def test_rows_stay_a_month_or_as_long_as_a_content() -> None:
    assert Keep(sent=0, failed=0).rows == 30 * DAY
    assert Keep(sent=40 * DAY, failed=0).rows == 40 * DAY
    assert Keep(sent=0, failed=50 * DAY).rows == 50 * DAY


async def test_a_portal_that_fills_a_page_hides_no_other(
    intake: Intake, database: Database, portal: str, neighbour: str, clock: HeldClock
) -> None:
    for whose, count in ((portal, 1_100), (neighbour, 3)):
        await intake.submit(
            whose, [submission(intake, ANNA) for _ in range(count)], by=BY, owner=None
        )
    ended = "UPDATE recipients SET state = 'sent', due_at = NULL, ended_at = $1"
    await database.transact(executing(ended, clock.now()))
    clock.advance(30 * DAY)
    await retention(database, clock).sweep()
    assert await counts(database) == [0, 0, 0, 0]


@pytest.mark.parametrize("state", [State.FAILED, State.HELD])
async def test_a_sweep_asks_once_for_hundreds_of_portals(
    intake: Intake, database: Database, portal: str, clock: HeldClock, state: State
) -> None:
    """Whether they have nothing, or mail whose time is not over."""
    for _ in range(2):
        await end(database, portal, await submit_mail(intake, portal), state, clock)
    clock.advance(HOUR)
    few, many, full = Asked(database), Asked(database), Asked(database)
    await Retention(few, KEEP, clock, lambda: True).sweep()
    await more_portals(database, portal, 400)
    await Retention(many, KEEP, clock, lambda: True).sweep()
    assert many.asked == few.asked
    await database.transact(executing("DELETE FROM portals WHERE id > $1", portal))
    await more_portals(database, portal, 200)
    await more_alike(database, portal)
    await Retention(full, KEEP, clock, lambda: True).sweep()
    assert full.asked == few.asked
    assert (await counts(database))[1] == 402


async def test_what_is_old_goes_from_each_of_a_thousand_portals(
    intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    await end(database, portal, await submit_mail(intake, portal), State.SENT, clock)
    await more_portals(database, portal, 1_000)
    await more_alike(database, portal)
    clock.advance(HOUR)
    await retention(database, clock).sweep()
    assert await counts(database) == [1_001, 0, 1_001, 1]
