"""What waits in all portals, counted by pages however small."""

from itertools import count

import pytest

from benchmarks.many_portals import more_portals
from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database, Transaction
from smarthost.mail_queue.census.store import Census, CensusStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.store import QueueStore
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.many import Asked
from tests.mail_queue.messages import submit_mail, submit_test
from tests.relay_health.held import hold, put_on_hold

NOTHING = Census(
    queued=0, sending=0, held=0, oldest_due_seconds=0.0, holds_of_own=0, holds_of_default=0
)
OPEN_TURNS = """
INSERT INTO queue_turns (portal_id, kind)
SELECT id, 'mail' FROM portals WHERE id > $1 ON CONFLICT DO NOTHING"""


async def execute(database: Database, sql: str, *values: str) -> None:
    async def work(tx: Transaction) -> None:
        await tx.execute(sql, *values)

    await database.transact(work)


async def test_an_empty_queue_has_nothing(
    database: Database, clock: HeldClock, portal: str
) -> None:
    assert await CensusStore(database, clock).take() == NOTHING


@pytest.mark.parametrize("page", [1, 2, 3, 1_000])
async def test_recipients_of_all_portals_are_counted_by_state(
    database: Database,
    clock: HeldClock,
    store: QueueStore,
    intake: Intake,
    portal: str,
    neighbour: str,
    page: int,
) -> None:
    people = [f"p{number}@example.org" for number in range(4)]
    for _ in range(3):  # all due at one moment
        await submit_mail(intake, portal, *people)
    await submit_mail(intake, neighbour, *people[:2])
    await submit_test(intake, portal)
    (claim,) = await store.claim(neighbour, Kind.MAIL, ())
    assert len(claim.recipients) == 2
    for address in people[:3]:
        await execute(
            database,
            "UPDATE recipients SET state = 'held', due_at = NULL, held_for = 'restored'"
            " WHERE portal_id = $1 AND address = $2",
            portal,
            address,
        )
    census = await CensusStore(database, clock, page).take()
    assert (census.queued, census.sending, census.held) == (3, 2, 9)


async def test_the_oldest_is_the_one_that_is_due_for_the_longest_time(
    database: Database, clock: HeldClock, intake: Intake, portal: str, neighbour: str
) -> None:
    await submit_mail(intake, portal, "p@example.org")
    clock.advance(30)
    await submit_mail(intake, neighbour, "p@example.org")
    clock.advance(12.5)
    assert (await CensusStore(database, clock).take()).oldest_due_seconds == 42.5


async def test_portals_on_hold_are_counted_by_whose_relay_it_is(
    database: Database, clock: HeldClock, portal: str, neighbour: str
) -> None:
    numbers = count()
    for one, default in ((portal, False), (neighbour, True)):
        since = clock.now() + next(numbers) * MICROSECONDS
        await put_on_hold(database, hold(one, since, default_relay=default))
    census = await CensusStore(database, clock).take()
    assert (census.holds_of_own, census.holds_of_default) == (1, 1)


async def test_a_thousand_portals_are_counted_with_a_few_questions(
    database: Database, clock: HeldClock, intake: Intake, portal: str, neighbour: str
) -> None:
    await submit_mail(intake, portal, "p@example.org")
    await submit_mail(intake, neighbour, "p@example.org")
    await more_portals(database, portal, 998)
    await execute(database, OPEN_TURNS, portal)
    asked = Asked(database)
    assert (await CensusStore(asked, clock).take()).queued == 2
    assert asked.asked < 12
