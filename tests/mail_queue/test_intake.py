import asyncio
from typing import Any

import pytest

from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Result
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Kind, State
from smarthost.mail_queue.store import QueueStore
from tests.clocks import START
from tests.engines import executing
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import (
    ANNA,
    BORIS,
    BY,
    CONTENT,
    REVISION,
    attempted,
    envelope,
    submit_mail,
    submit_test,
)

MESSAGES = "SELECT kind, revision, accepted_at, accepted_by, sender, size FROM messages"
BODIES = "SELECT content FROM message_bodies"
RECIPIENTS = "SELECT address, state, attempts_count FROM recipients ORDER BY address"


async def test_what_was_accepted_is_stored_whole(
    intake: Intake, database: Database, portal: str
) -> None:
    await submit_test(intake, portal)
    stored = ("test", REVISION, START, BY.name, "portal@example.com", len(CONTENT))
    assert await database.fetch(MESSAGES) == [stored]
    assert await database.fetch(BODIES) == [(CONTENT,)]
    assert await database.fetch(RECIPIENTS) == [(ANNA, "queued", 0)]


async def test_the_worker_is_woken_once_the_message_is_stored(
    intake: Intake, portal: str, woken: list[str]
) -> None:
    await submit_test(intake, portal)
    assert woken == ["woken"]


async def test_a_recipient_named_twice_gets_the_message_once(
    intake: Intake, database: Database, portal: str
) -> None:
    await submit_mail(intake, portal, BORIS, ANNA, BORIS)
    assert [row[0] for row in await database.fetch(RECIPIENTS)] == [ANNA, BORIS]


async def test_an_envelope_without_recipients_is_refused(
    intake: Intake, database: Database, portal: str
) -> None:
    with pytest.raises(ValueError, match="recipient"):
        await intake.submit(portal, envelope(recipients=()), kind=Kind.MAIL, by=BY)
    assert await database.fetch(MESSAGES) == []


@pytest.mark.parametrize(("kind", "revision"), [(Kind.TEST, None), (Kind.MAIL, 3)])
async def test_a_test_and_nothing_else_is_bound_to_a_revision(
    intake: Intake, database: Database, portal: str, kind: Kind, revision: int | None
) -> None:
    with pytest.raises(Exception, match="constraint"):
        await intake.submit(portal, envelope(), kind=kind, revision=revision, by=BY)
    assert await database.fetch(MESSAGES) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE messages SET sender = 'other@example.com'",
        "UPDATE message_bodies SET content = X'00'",
    ],
)
async def test_an_accepted_message_is_never_changed(
    intake: Intake, database: Database, portal: str, statement: str
) -> None:
    await submit_test(intake, portal)
    with pytest.raises(Exception, match="never changed"):
        await database.transact(executing(statement))


async def test_while_a_test_runs_there_is_no_other(
    intake: Intake, store: QueueStore, database: Database, portal: str
) -> None:
    first = await submit_test(intake, portal)
    assert await submit_test(intake, portal) == first
    await store.claim(portal, Kind.TEST, ())
    assert await submit_test(intake, portal, revision=4) == first
    assert len(await database.fetch(MESSAGES)) == 1


async def test_tests_started_at_the_same_moment_are_one(
    intake: Intake, database: Database, portal: str
) -> None:
    started = await asyncio.gather(*(submit_test(intake, portal) for _ in range(50)))
    assert len(set(started)) == 1
    assert len(await database.fetch(MESSAGES)) == 1


async def test_a_test_of_a_neighbour_and_mail_of_ones_own_are_no_hindrance(
    intake: Intake, portal: str, neighbour: str
) -> None:
    ids = {
        await submit_mail(intake, portal),
        await submit_test(intake, neighbour),
        await submit_test(intake, portal),
        await submit_mail(intake, portal),
    }
    assert len(ids) == 4


async def test_after_a_test_has_ended_the_next_begins(
    intake: Intake, store: QueueStore, portal: str
) -> None:
    first = await submit_test(intake, portal)
    claim = await store.claim(portal, Kind.TEST, ())
    assert claim is not None
    failed: dict[str, Any] = {"code": Code.LOGIN_REFUSED, "revision": REVISION}
    await store.record(claim, attempted(claim, Result.DEFERRED, **failed))
    second = await submit_test(intake, portal)
    assert second != first
    last = await store.last_test(portal)
    assert last is not None
    assert (last.message_id, last.state, last.attempt) == (second, State.QUEUED, None)


async def test_a_test_that_never_ended_is_no_hindrance_after_forty_seconds(
    intake: Intake, portal: str, clock: HeldClock
) -> None:
    first = await submit_test(intake, portal)
    clock.advance(39.9)
    assert await submit_test(intake, portal) == first
    clock.advance(0.1)
    assert await submit_test(intake, portal) != first


async def test_a_clock_set_back_leaves_no_test_running_for_long(
    intake: Intake, store: QueueStore, portal: str, clock: HeldClock
) -> None:
    await submit_test(intake, portal)
    clock.jump(-86_400)
    second = await submit_test(intake, portal)
    last = await store.last_test(portal)
    assert last is not None
    assert last.message_id == second


async def test_a_submit_that_fails_leaves_nothing_and_wakes_nobody(
    intake: Intake, database: Database, woken: list[str]
) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"):
        await submit_test(intake, "no such portal")
    for sql in (MESSAGES, BODIES, RECIPIENTS, "SELECT portal_id FROM queue_turns"):
        assert await database.fetch(sql) == []
    assert woken == []


async def test_a_portal_is_due_from_the_moment_that_something_was_accepted(
    intake: Intake, store: QueueStore, portal: str
) -> None:
    assert await store.due_portals(Kind.TEST, 9) == []
    await submit_test(intake, portal)
    assert await store.due_portals(Kind.TEST, 9) == [portal]
    assert await store.due_portals(Kind.MAIL, 9) == []
