"""How the mail of all portals stands, read by pages however small, and with how many questions."""

import pytest

from benchmarks.many_portals import more_alike, more_portals
from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import HeldFor, Kind, State
from smarthost.mail_queue.overview.store import Overview, Standing
from smarthost.mail_queue.store import QueueStore
from tests.clocks import START
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.many import Asked
from tests.mail_queue.messages import ANNA, BORIS, attempted, submit_mail, submit_test
from tests.mail_queue.states import put
from tests.relay_health.held import hold, put_on_hold


async def test_without_mail_there_is_nothing(database: Database, portal: str) -> None:
    assert await Overview(database).standings(START) == {}
    assert await Overview(database).restored() == {}


@pytest.mark.parametrize("page", [1, 2, 3, 1_000])
async def test_recipients_of_each_portal_are_counted_by_state(
    database: Database, intake: Intake, portal: str, neighbour: str, clock: HeldClock, page: int
) -> None:
    later = clock.now() + 10**9
    await submit_mail(intake, portal, scheduled_at=later)
    oldest = clock.now()
    queued = [await submit_mail(intake, portal, ANNA, BORIS) for _ in range(4)]
    await put(database, (portal, queued[1]), State.SENDING, at=START)
    await put(database, (portal, queued[2]), State.HELD, at=START, address=ANNA)
    restored = HeldFor.RESTORED
    whose = (portal, queued[2])
    await put(database, whose, State.HELD, at=START, address=BORIS, held_for=restored, attempts=0)
    await put(database, (portal, queued[3]), State.SENT, at=START)
    await submit_test(intake, portal)
    clock.advance(1)
    of_neighbour = clock.now()
    await submit_mail(intake, neighbour)
    found = await Overview(database, page).standings(clock.now())
    assert found.keys() == {portal, neighbour}
    one, other = found[portal], found[neighbour]
    counts = {state: count for state, count in one.recipients.items() if count}
    assert set(one.recipients) == set(State)
    assert counts == {State.QUEUED: 3, State.SENDING: 2, State.HELD: 2, State.SENT: 2}
    assert (one.scheduled, one.restored, one.oldest_queued_at) == (1, 1, oldest)
    assert other == Standing(
        recipients=dict.fromkeys(State, 0) | {State.QUEUED: 1}, oldest_queued_at=of_neighbour
    )
    assert await Overview(database, page).restored() == {portal: 1}
    clock.advance(1_000)
    assert (await Overview(database, page).standings(clock.now()))[portal].scheduled == 0


async def test_what_only_waits_for_its_moment_or_a_person_is_not_the_oldest(
    database: Database, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, scheduled_at=clock.now() + MICROSECONDS)
    held = await submit_mail(intake, portal)
    await put(database, (portal, held), State.HELD, at=START)
    standing = (await Overview(database).standings(clock.now()))[portal]
    assert standing.oldest_queued_at is None


async def test_a_portal_on_hold_is_there_without_any_mail(
    database: Database, portal: str, neighbour: str
) -> None:
    held = hold(portal, START)
    await put_on_hold(database, held)
    assert await Overview(database, 1).standings(START) == {portal: Standing(hold=held)}


async def test_it_tells_when_a_relay_last_took_some(
    database: Database, store: QueueStore, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    (claim,) = await store.claim(portal, Kind.MAIL, ())
    clock.advance(5)
    await store.record(claim, attempted(claim))
    assert (await Overview(database).standings(START))[portal].last_sent_at == clock.now()


async def test_portals_without_mail_cost_no_question(
    database: Database, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    few, many = Asked(database), Asked(database)
    await Overview(few).standings(clock.now())
    await more_portals(database, portal, 2_000)
    assert len(await Overview(many).standings(clock.now())) == 1
    await Overview(many).restored()
    assert (few.asked, many.asked) == (5, 5 + 2)


async def test_portals_with_mail_cost_a_question_for_a_page_of_it(
    database: Database, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    await put_on_hold(database, hold(portal, START))
    await more_portals(database, portal, 1_000)
    await more_alike(database, portal)
    asked = Asked(database)
    found = await Overview(asked, 300).standings(clock.now())
    assert len(found) == 1_001
    assert all(one.hold and one.recipients[State.QUEUED] == 1 for one in found.values())
    # Mail by four pages of two questions each, holds and times by as many and an empty one.
    assert asked.asked == 2 * 4 + 5 + 5
