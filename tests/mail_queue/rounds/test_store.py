"""Which of many portals have something to be done, some at a time."""

from collections.abc import AsyncIterator

import pytest

from benchmarks.many_portals import more_alike, more_portals
from smarthost.database.engine import Database
from smarthost.ids import before_ids_of
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Kind, State
from smarthost.mail_queue.rounds.store import Kept, Rounds, Some
from smarthost.mail_queue.store import QueueStore
from tests.clocks import START
from tests.engines import executing
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.many import Asked
from tests.mail_queue.messages import ANNA, BORIS, submit_mail, submit_test
from tests.mail_queue.states import put

ALL = Some("", "~")


async def all_of(found: AsyncIterator[str]) -> list[str]:
    return [one async for one in found]


@pytest.mark.parametrize("together", [1, 3, 5, 6, 7, 500])
async def test_each_portal_is_in_one_part(database: Database, portal: str, together: int) -> None:
    await more_portals(database, portal, 5)
    ids = [row[0] for row in await database.fetch("SELECT id FROM portals ORDER BY id")]
    parts = [part async for part in Rounds(database, together).portals()]
    assert parts[0].after == ""
    assert parts[-1].until == "~"
    assert [one.until for one in parts[:-1]] == [one.after for one in parts[1:]]
    for part in parts:
        assert len([one for one in ids if part.after < one <= part.until]) <= together


Walked = AsyncIterator[tuple[str, list[Kept]]]


async def each(found: Walked) -> list[tuple[str, Kept]]:
    return [(portal_id, one) async for portal_id, some in found for one in some]


@pytest.mark.parametrize("page", [1, 2, 3, 500])
async def test_messages_are_told_with_how_far_they_are(
    database: Database, intake: Intake, portal: str, neighbour: str, page: int
) -> None:
    first, second = sorted((portal, neighbour))
    messages = [
        (whose, await submit_mail(intake, whose, ANNA, BORIS)) for whose in (first, second)
    ]
    await put(database, messages[0], State.SENT, at=START)
    await put(database, messages[1], State.FAILED, at=START, address=ANNA)
    await submit_test(intake, second)
    rounds = Rounds(database, page=page)
    found = await each(rounds.messages(ALL, "~"))
    assert [(whose, one.message_id) for whose, one in found] == messages
    assert [(one.recipients, one.ended, one.sent) for _, one in found] == [
        (2, True, True),
        (2, False, False),
    ]
    with_test = await each(rounds.bodies(ALL, "~"))
    assert len(with_test) == 3
    assert [one for one in with_test if one in found] == found
    assert await each(rounds.messages(Some(first, second), "~")) == found[1:]
    assert await each(rounds.messages(Some("", first), "~")) == found[:1]
    assert await each(rounds.messages(Some(second, "~"), "~")) == []


@pytest.mark.parametrize("page", [1, 2, 3, 4, 5, 500])
async def test_whatever_is_young_hides_nothing_that_is_old(
    database: Database, intake: Intake, portal: str, clock: HeldClock, page: int
) -> None:
    old = [await submit_mail(intake, portal) for _ in range(3)]
    await more_portals(database, portal, 6)
    await more_alike(database, portal)
    clock.advance(60)
    between = before_ids_of(clock.now())
    whose = [row[0] for row in await database.fetch("SELECT id FROM portals ORDER BY id")]
    for one in whose[1::2]:
        for _ in range(3):
            await submit_mail(intake, one)
    only_young = "DELETE FROM messages WHERE portal_id = $1 AND id < $2"
    await database.transact(executing(only_young, whose[3], between))
    rounds = Rounds(database, page=page)
    for found in (rounds.bodies(ALL, between), rounds.messages(ALL, between)):
        assert [(portal_id, one.message_id) for portal_id, one in await each(found)] == [
            (one, message) for one in whose if one != whose[3] for message in sorted(old)
        ]


async def test_what_is_young_is_passed_over_however_much_it_is(
    database: Database, intake: Intake, portal: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal)
    await more_portals(database, portal, 2)
    await more_alike(database, portal)
    clock.advance(60)
    between = before_ids_of(clock.now())
    for _ in range(50):
        await submit_mail(intake, portal)
    asked = Asked(database)
    assert len(await each(Rounds(asked, page=5).bodies(ALL, between))) == 3
    assert asked.asked == 3
    assert await each(Rounds(asked, page=5).bodies(ALL, "0")) == []
    assert asked.asked == 4


async def test_portals_with_mail_that_is_due_later_are_told(
    database: Database, intake: Intake, portal: str, neighbour: str, clock: HeldClock
) -> None:
    await submit_mail(intake, portal, scheduled_at=clock.now() + 60)
    await submit_mail(intake, neighbour)
    rounds = Rounds(database)
    assert await rounds.with_due(ALL, Kind.MAIL, clock.now()) == [portal]
    assert await rounds.with_due(ALL, Kind.MAIL, clock.now() + 60) == []
    assert await rounds.with_due(ALL, Kind.NOTICE, clock.now()) == []


async def test_portals_with_claims_are_told_each_once(
    database: Database, intake: Intake, store: QueueStore, portal: str, neighbour: str
) -> None:
    for whose in (portal, neighbour):
        await submit_mail(intake, whose, ANNA, BORIS)
        await submit_mail(intake, whose)
    assert await all_of(Rounds(database).with_claims(Kind.MAIL)) == []
    for whose in (portal, neighbour):
        await store.claim(whose, Kind.MAIL, (), at_most=2)
    rounds = Rounds(database)
    assert await all_of(rounds.with_claims(Kind.MAIL)) == sorted((portal, neighbour))
    assert await all_of(rounds.with_claims(Kind.NOTICE)) == []
    assert await all_of(rounds.with_claims_of("", "~")) == sorted((portal, neighbour))
    assert await all_of(rounds.with_claims_of("node 1/", "node 1/~")) == []
