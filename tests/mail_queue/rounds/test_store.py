"""Which of many portals have something to be done, some at a time."""

from collections.abc import AsyncIterator

import pytest

from smarthost.database.engine import Database
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Kind, State
from smarthost.mail_queue.rounds.store import Rounds, Some
from smarthost.mail_queue.store import QueueStore
from tests.clocks import START
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.many import more_portals
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


async def test_messages_are_told_with_how_far_they_are(
    database: Database, intake: Intake, portal: str, neighbour: str
) -> None:
    first, second = sorted((portal, neighbour))
    messages = [
        (whose, await submit_mail(intake, whose, ANNA, BORIS)) for whose in (first, second)
    ]
    await put(database, messages[0], State.SENT, at=START)
    await put(database, messages[1], State.FAILED, at=START, address=ANNA)
    await submit_test(intake, second)
    rounds = Rounds(database)
    found = await rounds.messages(ALL, "~", 9)
    assert [(whose, one.message_id) for whose, one in found] == messages
    assert [(one.recipients, one.ended, one.sent) for _, one in found] == [
        (2, True, True),
        (2, False, False),
    ]
    with_test = await rounds.bodies(ALL, "~", 9)
    assert len(with_test) == 3
    assert [one for one in with_test if one in found] == found
    assert await rounds.messages(ALL, "~", 1) == found[:1]
    assert await rounds.messages(ALL, messages[0][1], 9) == []
    assert await rounds.messages(Some(first, second), "~", 9) == found[1:]
    assert await rounds.messages(Some("", first), "~", 9) == found[:1]


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
