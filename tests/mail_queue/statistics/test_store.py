"""What became of mail is counted with it, once, in its hour and for its portal."""

import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Result
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.jumps import Jumps
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.model import Claim, Kind
from smarthost.mail_queue.schedule import LEASE_SECONDS
from smarthost.mail_queue.statistics.model import HOUR, Point, Tally
from smarthost.mail_queue.statistics.store import StatisticsStore
from smarthost.mail_queue.store import QueueStore
from tests.clocks import START
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import ANNA, BORIS, BY, attempted, submit_mail, submit_test

BEGIN = START - START % HOUR
DAY = 24 * HOUR
TODAY = START - START % DAY
ROWS = "SELECT count(*) FROM mail_counts"


@pytest.fixture
def statistics(database: Database) -> StatisticsStore:
    return StatisticsStore(database)


async def counted(statistics: StatisticsStore, portal: str) -> Tally:
    """Return all that was counted, whenever it was."""
    (point,) = await statistics.points(portal, 0, 40_000 * DAY, 40_000 * DAY)
    return point.tally


async def claimed(store: QueueStore, portal: str, kind: Kind = Kind.MAIL) -> Claim:
    (claim,) = await store.claim(portal, kind, ())
    return claim


async def send(store: QueueStore, portal: str) -> None:
    """Have a relay take the portal's next message."""
    claim = await claimed(store, portal)
    assert (await store.record(claim, attempted(claim))).kept


async def test_the_recipients_of_a_message_are_counted_together(
    store: QueueStore, intake: Intake, statistics: StatisticsStore, database: Database, portal: str
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS, "carla@example.org")
    claim = await claimed(store, portal)
    sent, later, refused = (
        attempted(claim, result, code=code)[number]
        for number, (result, code) in enumerate(
            [
                (Result.ACCEPTED, None),
                (Result.DEFERRED, Code.TEMPORARILY_REFUSED),
                (Result.REFUSED, Code.RECIPIENT_REFUSED),
            ]
        )
    )
    await store.record(claim, [sent, later, refused])
    tally = await counted(statistics, portal)
    assert (tally.sent, tally.deferred, tally.failed) == (1, 1, 1)
    assert await database.fetch(ROWS) == [(1,)]


async def test_each_hour_and_portal_has_counts_of_its_own(
    store: QueueStore,
    intake: Intake,
    statistics: StatisticsStore,
    portal: str,
    neighbour: str,
    clock: HeldClock,
) -> None:
    for whose, times in ((portal, 2), (neighbour, 1)):
        for _ in range(times):
            await submit_mail(intake, whose)
            await send(store, whose)
    clock.advance(2 * 3600)
    await submit_mail(intake, portal)
    await send(store, portal)
    points = await statistics.points(portal, BEGIN - HOUR, BEGIN + 3 * HOUR, HOUR)
    assert [(point.at, point.tally.sent) for point in points] == [
        (BEGIN - HOUR, 0), (BEGIN, 2), (BEGIN + HOUR, 0), (BEGIN + 2 * HOUR, 1),
    ]  # fmt: skip
    days = await statistics.points(portal, TODAY - DAY, TODAY + DAY, DAY)
    assert [(day.at, day.tally.sent) for day in days] == [(TODAY - DAY, 0), (TODAY, 3)]
    assert (await counted(statistics, neighbour)).sent == 1


async def test_the_end_of_the_time_asked_for_is_left_out(
    store: QueueStore, intake: Intake, statistics: StatisticsStore, portal: str
) -> None:
    await submit_mail(intake, portal)
    await send(store, portal)
    assert await statistics.points(portal, BEGIN - HOUR, BEGIN, HOUR) == [
        Point(at=BEGIN - HOUR, tally=Tally())
    ]
    assert (await statistics.points(portal, BEGIN, BEGIN + HOUR, HOUR))[0].tally.sent == 1


async def test_a_delay_begins_when_the_message_was_accepted(
    store: QueueStore,
    intake: Intake,
    statistics: StatisticsStore,
    portal: str,
    clock: HeldClock,
) -> None:
    await submit_mail(intake, portal)
    claim = await claimed(store, portal)
    await store.record(claim, attempted(claim, Result.DEFERRED, code=Code.TIMED_OUT))
    clock.advance(3600)
    await send(store, portal)
    tally = await counted(statistics, portal)
    assert (tally.deferred, tally.delay_seconds(50)) == (1, 3600)


async def test_a_delay_begins_at_the_moment_that_the_sender_chose(
    store: QueueStore,
    intake: Intake,
    messages: MessageStore,
    statistics: StatisticsStore,
    portal: str,
    clock: HeldClock,
) -> None:
    message_id = await submit_mail(intake, portal, scheduled_at=START + 60 * MICROSECONDS)
    await messages.reschedule(portal, message_id, START + 9_000 * MICROSECONDS, by=BY)
    clock.advance(9_004)
    await send(store, portal)
    assert (await counted(statistics, portal)).delay_seconds(50) == 5


@pytest.mark.parametrize("seconds", [-7200, 10 * 365 * 86_400])
async def test_a_clock_that_is_set_makes_no_delay(
    database: Database,
    intake: Intake,
    statistics: StatisticsStore,
    portal: str,
    clock: HeldClock,
    seconds: int,
) -> None:
    jumps = Jumps(clock)
    store = QueueStore(database, clock, Ids(clock), jumps=jumps)
    await submit_mail(intake, portal)
    claim = await claimed(store, portal)
    clock.jump(seconds)
    jumps.look()
    await store.record(claim, attempted(claim))
    assert (await counted(statistics, portal)).delay_seconds(50) == 1


async def test_who_has_lost_a_claim_counts_nothing(
    database: Database,
    store: QueueStore,
    intake: Intake,
    statistics: StatisticsStore,
    portal: str,
    clock: HeldClock,
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    dead = await claimed(store, portal)
    await LeaseStore(database, clock).take_over(Kind.MAIL)
    assert await counted(statistics, portal) == Tally(deferred=2)
    assert not (await store.record(dead, attempted(dead))).kept
    assert await counted(statistics, portal) == Tally(deferred=2)


async def test_an_outcome_that_is_written_twice_counts_once(
    store: QueueStore, intake: Intake, statistics: StatisticsStore, portal: str
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    claim = await claimed(store, portal)
    anna, boris = attempted(claim)
    for outcomes in ([anna], [anna, boris], [anna, boris]):
        await store.record(claim, outcomes)
    assert (await counted(statistics, portal)).sent == 2


async def test_a_lease_that_ends_is_an_attempt_that_was_deferred(
    store: QueueStore,
    intake: Intake,
    statistics: StatisticsStore,
    portal: str,
    clock: HeldClock,
) -> None:
    await submit_mail(intake, portal)
    await claimed(store, portal)
    clock.advance(LEASE_SECONDS)
    await claimed(store, portal)
    assert await counted(statistics, portal) == Tally(deferred=1)


async def test_what_was_only_claimed_is_not_counted(
    database: Database,
    store: QueueStore,
    intake: Intake,
    statistics: StatisticsStore,
    portal: str,
    clock: HeldClock,
) -> None:
    for _ in range(2):
        await submit_mail(intake, portal)
    begun, other = await store.claim(portal, Kind.MAIL, (), at_most=2)
    await store.give_back([other])
    await LeaseStore(database, clock).take_over(Kind.MAIL)
    assert await counted(statistics, portal) == Tally(deferred=len(begun.recipients))


async def test_mail_that_expires_in_the_queue_has_failed(
    store: QueueStore,
    intake: Intake,
    statistics: StatisticsStore,
    portal: str,
    clock: HeldClock,
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS, expires_at=START + MICROSECONDS)
    clock.advance(2)
    assert await store.claim(portal, Kind.MAIL, ()) == []
    assert await counted(statistics, portal) == Tally(failed=2)


async def test_what_people_do_is_not_counted_and_what_follows_is(
    store: QueueStore,
    intake: Intake,
    messages: MessageStore,
    statistics: StatisticsStore,
    portal: str,
) -> None:
    cancelled = await submit_mail(intake, portal)
    await messages.cancel(portal, cancelled, by=BY)
    again = await submit_mail(intake, portal)
    for _ in range(2):
        claim = await claimed(store, portal)
        refused = attempted(claim, Result.REFUSED, code=Code.RECIPIENT_REFUSED, permanent=True)
        await store.record(claim, refused)
        await messages.retry(portal, again, by=BY)
    assert await counted(statistics, portal) == Tally(failed=2)


async def test_tests_and_notices_are_not_counted(
    store: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    await submit_test(intake, portal)
    await submit_mail(intake, portal, kind=Kind.NOTICE)
    for kind in (Kind.TEST, Kind.NOTICE):
        claim = await claimed(store, portal, kind)
        await store.record(claim, attempted(claim))
    assert await database.fetch(ROWS) == [(0,)]


async def test_old_hours_are_removed_some_at_a_time(
    store: QueueStore,
    intake: Intake,
    statistics: StatisticsStore,
    database: Database,
    portal: str,
    neighbour: str,
    clock: HeldClock,
) -> None:
    for _ in range(4):
        for whose in (portal, neighbour):
            await submit_mail(intake, whose)
            await send(store, whose)
        clock.advance(3600)
    removed = [await statistics.remove(portal, BEGIN + 2 * HOUR, 2) for _ in range(3)]
    assert removed == [True, True, False]
    left = await database.fetch("SELECT hour FROM mail_counts WHERE portal_id = $1", portal)
    assert left == [(BEGIN + 3 * HOUR,)]
    assert (await counted(statistics, neighbour)).sent == 4
