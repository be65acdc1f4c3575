import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.accepted.model import (
    Counts,
    Details,
    Message,
    NoSuchMessageError,
    NotPossibleError,
)
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import HeldFor, State
from tests.clocks import START
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import ANNA, BORIS, BY, CONTENT, submit_mail, submit_test
from tests.mail_queue.states import put

OWNER = "key:1"


async def reschedule(messages: MessageStore, portal: str, message_id: str, **more: Any) -> None:
    await messages.reschedule(portal, message_id, START + 10**9, by=BY, **more)


async def cancel(messages: MessageStore, portal: str, message_id: str, **more: Any) -> None:
    await messages.cancel(portal, message_id, by=BY, **more)


async def retry(messages: MessageStore, portal: str, message_id: str, **more: Any) -> None:
    await messages.retry(portal, message_id, by=BY, **more)


async def release(messages: MessageStore, portal: str, message_id: str, **more: Any) -> None:
    await messages.release(portal, message_id, by=BY, **more)


async def drop_body(messages: MessageStore, portal: str, message_id: str, **more: Any) -> None:
    await messages.drop_body(portal, message_id, by=BY, **more)


async def several(
    intake: Intake, portal: str, clock: HeldClock, count: int, **more: Any
) -> list[str]:
    """Messages of one moment after the other; newest first."""
    made = []
    for _ in range(count):
        clock.advance(1)
        made.append(await submit_mail(intake, portal, **more))
    return made[::-1]


async def got(messages: MessageStore, portal: str, message_id: str) -> Message:
    message = await messages.get(portal, message_id)
    assert message is not None
    return message


async def states(messages: MessageStore, portal: str, message_id: str) -> dict[str, State]:
    recipients = (await got(messages, portal, message_id)).recipients
    return {one.address: one.state for one in recipients}


async def due(database: Database, portal: str) -> int | None:
    sql = "SELECT due_at FROM queue_turns WHERE portal_id = $1 AND kind = 'mail'"
    at: int | None = (await database.fetch(sql, portal))[0][0]
    return at


async def audited(database: Database, portal: str, message_id: str) -> list[tuple[str, str]]:
    sql = (
        "SELECT action, actor FROM audit_events WHERE portal_id = $1 AND subject = $2 ORDER BY id"
    )
    return await database.fetch(sql, portal, message_id)


async def test_an_owner_has_what_came_with_that_credential(
    messages: MessageStore, intake: Intake, portal: str
) -> None:
    message_id = await submit_mail(intake, portal, owner=OWNER)
    assert await messages.get(portal, message_id) is not None
    assert await messages.get(portal, message_id, owner=OWNER) is not None
    assert await messages.get(portal, message_id, owner="key:2") is None


async def test_a_message_is_shown_with_each_recipients_state_and_last_failure(
    messages: MessageStore, intake: Intake, database: Database, portal: str
) -> None:
    message_id = await submit_mail(intake, portal, BORIS, ANNA)
    whose = (portal, message_id)
    failure: dict[str, Any] = {"address": ANNA, "attempts": 1, "code": Code.TIMED_OUT}
    await put(database, whose, State.QUEUED, at=START + 1, due_at=START + 9, **failure)
    await put(database, whose, State.SENT, at=START + 2, address=BORIS)
    anna, boris = (await got(messages, portal, message_id)).recipients
    assert (anna.address, anna.state, anna.due_at) == (ANNA, State.QUEUED, START + 9)
    assert (anna.attempts, anna.code, anna.ended_at) == (1, Code.TIMED_OUT, None)
    assert (boris.address, boris.state, boris.due_at) == (BORIS, State.SENT, None)
    assert (boris.attempts, boris.code, boris.ended_at) == (1, None, START + 2)
    failure |= {"attempts": 2, "code": Code.MESSAGE_REFUSED}
    await put(database, whose, State.FAILED, at=START + 3, **failure)
    assert (await got(messages, portal, message_id)).recipients[0].code is Code.MESSAGE_REFUSED
    first, second, third = await messages.attempts(portal, message_id)
    assert (first.address, first.attempt, first.code) == (ANNA, 1, Code.TIMED_OUT)
    assert (second.address, second.result, second.step) == (BORIS, Result.ACCEPTED, Step.DATA)
    assert (third.address, third.attempt, third.started_at) == (ANNA, 2, START + 3)


async def test_what_is_being_sent_is_due_at_no_moment(
    messages: MessageStore, intake: Intake, database: Database, portal: str
) -> None:
    message_id = await submit_mail(intake, portal)
    await put(database, (portal, message_id), State.SENDING, at=START)
    (recipient,) = (await got(messages, portal, message_id)).recipients
    assert recipient.due_at is None


async def test_the_content_is_the_octets_that_were_accepted(
    messages: MessageStore, intake: Intake, portal: str, neighbour: str
) -> None:
    message_id = await submit_mail(intake, portal)
    assert await messages.content(portal, message_id) == CONTENT
    for whose, which in ((neighbour, message_id), (portal, "none")):
        assert await messages.content(whose, which) is None
        assert await messages.get(whose, which) is None
        assert await messages.attempts(whose, which) == []


async def test_the_last_test_is_the_portals_own(
    messages: MessageStore, intake: Intake, database: Database, portal: str, neighbour: str
) -> None:
    assert await messages.last_test(portal) is None
    message_id = await submit_test(intake, portal, revision=7)
    await put(database, (portal, message_id), State.FAILED, at=START + 1, code=Code.LOGIN_REFUSED)
    last = await messages.last_test(portal)
    assert last is not None
    assert (last.message_id, last.revision, last.state) == (message_id, 7, State.FAILED)
    assert last.attempt is not None
    assert last.attempt.code is Code.LOGIN_REFUSED
    assert await messages.last_test(neighbour) is None


async def test_mail_that_has_not_ended_is_counted(
    messages: MessageStore, intake: Intake, database: Database, portal: str, clock: HeldClock
) -> None:
    nothing = Counts(queued=0, scheduled=0, held=0, oldest_queued_at=None, last_sent_at=None)
    assert await messages.counts(portal) == nothing
    later = clock.now() + 10**9
    await several(intake, portal, clock, 1, scheduled_at=later)
    oldest = clock.now() + 1_000_000
    queued = await several(intake, portal, clock, 4)
    await put(database, (portal, queued[0]), State.SENDING, at=START)
    await put(database, (portal, queued[1]), State.HELD, at=START)
    await put(database, (portal, queued[2]), State.SENT, at=START)
    await submit_test(intake, portal)
    counts = await messages.counts(portal)
    assert (counts.queued, counts.scheduled, counts.held) == (2, 1, 1)
    assert counts.oldest_queued_at == oldest
    clock.advance(1000)
    assert (await messages.counts(portal)).scheduled == 0


async def test_a_message_is_put_off_and_forward(
    messages: MessageStore, intake: Intake, database: Database, portal: str
) -> None:
    message_id = await submit_mail(intake, portal, scheduled_at=START + 60)
    for at in (START + 90, START + 30, START - 5):
        await messages.reschedule(portal, message_id, at, by=BY)
        (recipient,) = (await got(messages, portal, message_id)).recipients
        assert (recipient.due_at, recipient.scheduled_at) == (at, at)
        assert await due(database, portal) == at
    assert await audited(database, portal, message_id) == [("message.rescheduled", BY.name)] * 3


async def test_what_waits_is_cancelled_and_what_is_being_sent_goes_on(
    messages: MessageStore, intake: Intake, database: Database, portal: str
) -> None:
    message_id = await submit_mail(intake, portal, ANNA, BORIS, "c@example.org")
    await put(database, (portal, message_id), State.SENDING, at=START, due_at=START + 40)
    await put(database, (portal, message_id), State.QUEUED, at=START, address=BORIS)
    await put(database, (portal, message_id), State.HELD, at=START, address="c@example.org")
    await cancel(messages, portal, message_id)
    assert await states(messages, portal, message_id) == {
        ANNA: State.SENDING,
        BORIS: State.CANCELLED,
        "c@example.org": State.CANCELLED,
    }
    assert await due(database, portal) == START + 40
    assert await audited(database, portal, message_id) == [("message.cancelled", BY.name)]


@pytest.mark.parametrize("state", [State.FAILED, State.EXPIRED, State.QUEUED])
async def test_what_was_not_sent_is_tried_again_now(
    messages: MessageStore,
    intake: Intake,
    database: Database,
    portal: str,
    clock: HeldClock,
    state: State,
) -> None:
    message_id = await submit_mail(intake, portal, ANNA, BORIS)
    await put(database, (portal, message_id), State.SENT, at=START, address=BORIS)
    deferred: dict[str, Any] = {"due_at": START + 10**9, "code": Code.TIMED_OUT}
    await put(database, (portal, message_id), state, at=START, address=ANNA, **deferred)
    clock.advance(60)
    await retry(messages, portal, message_id)
    anna, boris = (await got(messages, portal, message_id)).recipients
    assert (anna.state, anna.due_at, anna.ended_at) == (State.QUEUED, clock.now(), None)
    assert anna.attempts == 1, "each attempt has a number of its own"
    assert boris.state is State.SENT
    assert await due(database, portal) == clock.now()
    assert await audited(database, portal, message_id) == [("message.retried", BY.name)]


@pytest.mark.parametrize("held_for", HeldFor)
async def test_what_is_held_is_released(
    messages: MessageStore, intake: Intake, database: Database, portal: str, held_for: HeldFor
) -> None:
    message_id = await submit_mail(intake, portal)
    await put(database, (portal, message_id), State.HELD, at=START, held_for=held_for)
    assert (await got(messages, portal, message_id)).recipients[0].held_for is held_for
    await release(messages, portal, message_id)
    (recipient,) = (await got(messages, portal, message_id)).recipients
    assert (recipient.state, recipient.held_for, recipient.due_at) == (State.QUEUED, None, START)
    assert await database.fetch("SELECT deaths FROM recipients") == [(0,)]
    assert await due(database, portal) == START
    assert await audited(database, portal, message_id) == [("message.released", BY.name)]


async def test_the_content_is_dropped_and_the_rest_stays(
    messages: MessageStore, intake: Intake, database: Database, portal: str
) -> None:
    message_id = await submit_mail(intake, portal, details=Details(subject="x"))
    with pytest.raises(NotPossibleError, match="still to be sent"):
        await drop_body(messages, portal, message_id)
    await put(database, (portal, message_id), State.FAILED, at=START, code=Code.TIMED_OUT)
    await drop_body(messages, portal, message_id)
    assert await messages.content(portal, message_id) is None
    message = await got(messages, portal, message_id)
    assert (message.has_body, message.details.subject) == (False, "x")
    with pytest.raises(NotPossibleError, match="dropped"):
        await retry(messages, portal, message_id)
    await drop_body(messages, portal, message_id)
    assert await audited(database, portal, message_id) == [("message.body_dropped", BY.name)]


@pytest.mark.parametrize("change", [reschedule, cancel, retry, release, drop_body])
async def test_nobody_changes_what_they_cannot_see(
    messages: MessageStore,
    intake: Intake,
    database: Database,
    portal: str,
    neighbour: str,
    change: Callable[..., Awaitable[None]],
) -> None:
    message_id = await submit_mail(intake, portal, owner=OWNER)
    for whose, which, owner in (
        (neighbour, message_id, None),
        (neighbour, message_id, OWNER),
        (portal, message_id, "key:2"),
        (portal, "none", None),
    ):
        with pytest.raises(NoSuchMessageError):
            await change(messages, whose, which, owner=owner)
    assert await states(messages, portal, message_id) == {ANNA: State.QUEUED}
    assert await audited(database, portal, message_id) == []


@pytest.mark.parametrize("change", [reschedule, cancel, retry, release])
async def test_what_cannot_be_done_changes_nothing(
    messages: MessageStore,
    intake: Intake,
    database: Database,
    portal: str,
    change: Callable[..., Awaitable[None]],
) -> None:
    message_id = await submit_mail(intake, portal, owner=OWNER)
    await put(database, (portal, message_id), State.SENT, at=START)
    before = await database.fetch("SELECT * FROM recipients")
    with pytest.raises(NotPossibleError):
        await change(messages, portal, message_id, owner=OWNER)
    assert await database.fetch("SELECT * FROM recipients") == before
    assert await audited(database, portal, message_id) == []


async def test_of_people_who_cancel_at_once_one_does(
    messages: MessageStore, intake: Intake, database: Database, portal: str
) -> None:
    message_id = await submit_mail(intake, portal)
    results = await asyncio.gather(
        *(cancel(messages, portal, message_id) for _ in range(20)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert sum(isinstance(one, NotPossibleError) for one in results) == 19
    assert len(await audited(database, portal, message_id)) == 1
