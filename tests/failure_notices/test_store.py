"""Of whom senders are to be told is written with the outcome itself, or not at all."""

from typing import Any

import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail.dsn import Dsn, Notify, RecipientDsn
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.schedule import LEASE_SECONDS
from tests.failure_notices.world import DEFERRED, REFUSED, SENT, World
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import ANNA, BORIS, BY, attempted

NEVER = RecipientDsn(notify=frozenset({Notify.NEVER}))
SUCCESS = RecipientDsn(notify=frozenset({Notify.SUCCESS}))


async def test_a_refused_recipient_is_told_of(world: World) -> None:
    message_id = await world.accept(ANNA, BORIS)
    await world.attempt(**REFUSED)
    assert await world.rows() == [(message_id, ANNA), (message_id, BORIS)]


async def test_of_mail_that_came_by_http_nobody_is_told_by_mail(world: World) -> None:
    await world.accept(ANNA, dsn=None)
    await world.attempt(**REFUSED)
    assert await world.rows() == []


async def test_of_a_notice_nobody_is_told(world: World) -> None:
    await world.accept(ANNA, sender="")
    await world.attempt(**REFUSED)
    assert await world.rows() == []


async def test_who_wants_no_word_gets_none(world: World) -> None:
    message_id = await world.accept(ANNA, BORIS, dsn=Dsn(recipients={ANNA: NEVER}))
    await world.attempt(**REFUSED)
    assert await world.rows() == [(message_id, BORIS)]


@pytest.mark.parametrize("outcome", [SENT, DEFERRED])
async def test_what_was_sent_or_is_tried_again_is_not_told(
    world: World, outcome: dict[str, Any]
) -> None:
    await world.accept(ANNA, dsn=Dsn(recipients={ANNA: SUCCESS}))
    await world.attempt(**outcome)
    assert await world.rows() == []


async def test_success_is_told_where_the_relay_does_not_tell(world: World) -> None:
    message_id = await world.accept(ANNA, BORIS, dsn=Dsn(recipients={ANNA: SUCCESS}))
    await world.attempt(**SENT, relayed_untold=True)
    assert await world.rows() == [(message_id, ANNA)]


async def test_mail_that_was_tried_for_too_long_is_told_of(world: World, clock: HeldClock) -> None:
    message_id = await world.accept(ANNA)
    for _ in range(8):
        assert await world.rows() == []
        await world.attempt(**DEFERRED)
        clock.advance(5 * 3600.0)
    assert await world.rows() == [(message_id, ANNA)]


async def test_mail_whose_time_was_over_before_the_first_try_is_told_of(
    world: World, clock: HeldClock
) -> None:
    message_id = await world.accept(ANNA, expires_at=clock.now() + 5 * MICROSECONDS)
    clock.advance(6.0)
    assert await world.queue.claim(world.portal_id, Kind.MAIL, ()) == []
    assert await world.rows() == [(message_id, ANNA)]


async def test_what_a_dead_worker_left_is_tried_again_and_not_told(
    world: World, database: Database, clock: HeldClock
) -> None:
    await world.accept(ANNA)
    await world.queue.record_step(await world.claimed(), Step.DATA)
    assert await LeaseStore(database, clock, world.store.note).take_over(Kind.MAIL) == 1
    await world.claimed()
    clock.advance(LEASE_SECONDS + 1.0)
    await world.claimed()
    assert await world.rows() == []


async def test_an_outcome_that_comes_after_its_lease_tells_nobody(
    world: World, database: Database, clock: HeldClock
) -> None:
    await world.accept(ANNA)
    lost = await world.claimed()
    await world.queue.record_step(lost, Step.DATA)
    await LeaseStore(database, clock, world.store.note).take_over(Kind.MAIL)
    failed = attempted(lost, Result.REFUSED, code=Code.MESSAGE_REFUSED, permanent=True)
    await world.queue.record(lost, failed)
    assert await world.rows() == []


async def test_what_a_person_cancels_is_not_told(world: World) -> None:
    message_id = await world.accept(ANNA)
    await world.messages.cancel(world.portal_id, message_id, by=BY)
    assert await world.rows() == []
