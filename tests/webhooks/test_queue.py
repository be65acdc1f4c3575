"""What the queue writes about a recipient makes an event in the same transaction, or none."""

from typing import Any

import msgspec
import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.ids import Ids
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.model import Claim, Kind
from smarthost.mail_queue.schedule import LEASE_SECONDS, Patience
from smarthost.mail_queue.store import QueueStore
from smarthost.webhooks.store import WebhookStore
from smarthost.webhooks.waiting.store import WaitingEvents
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import ANNA, BORIS, attempted, submit_mail, submit_test
from tests.webhooks.told import BY, URL

EVENTS = "SELECT payload FROM webhook_events ORDER BY created_at"
DEFERRED: dict[str, Any] = {"result": Result.DEFERRED, "code": Code.TEMPORARILY_REFUSED}
REFUSED: dict[str, Any] = {"result": Result.REFUSED, "code": Code.RECIPIENT_REFUSED}


@pytest.fixture
async def queue(
    database: Database, clock: HeldClock, store: WebhookStore, waiting: WaitingEvents, portal: str
) -> QueueStore:
    """A queue whose portal has a webhook."""
    await store.put(portal, URL, BY, renew_secret=False)
    return QueueStore(
        database,
        clock,
        Ids(clock),
        patience=Patience(expire_seconds=3600.0),
        luck=lambda: 0.5,
        in_each_record=waiting.note,
    )


async def claimed(queue: QueueStore, portal: str, kind: Kind = Kind.MAIL) -> Claim:
    (claim,) = await queue.claim(portal, kind, ())
    return claim


async def told(database: Database) -> list[tuple[str, list[str]]]:
    events = [msgspec.json.decode(row[0]) for row in await database.fetch(EVENTS)]
    return [(event["type"], event["data"]["recipients"]) for event in events]


@pytest.mark.parametrize(
    ("fields", "kind"),
    [({}, "email.sent"), (DEFERRED, "email.delivery_delayed"), (REFUSED, "email.failed")],
)
async def test_an_outcome_is_told(
    queue: QueueStore,
    intake: Intake,
    database: Database,
    portal: str,
    fields: dict[str, Any],
    kind: str,
) -> None:
    await submit_mail(intake, portal, ANNA, BORIS)
    claim = await claimed(queue, portal)
    await queue.record(claim, attempted(claim, **fields))
    assert await told(database) == [(kind, [ANNA, BORIS])]


async def test_what_is_put_off_again_and_again_is_told_once(
    queue: QueueStore, intake: Intake, database: Database, clock: HeldClock, portal: str
) -> None:
    await submit_mail(intake, portal)
    for _ in range(3):
        claim = await claimed(queue, portal)
        await queue.record(claim, attempted(claim, **DEFERRED))
        clock.advance(4 * 3600.0)
    claim = await claimed(queue, portal)
    await queue.record(claim, attempted(claim))
    assert await told(database) == [("email.delivery_delayed", [ANNA]), ("email.sent", [ANNA])]


async def test_a_claim_that_was_lost_tells_nothing(
    queue: QueueStore,
    intake: Intake,
    database: Database,
    waiting: WaitingEvents,
    clock: HeldClock,
    portal: str,
) -> None:
    await submit_mail(intake, portal)
    lost = await claimed(queue, portal)
    await queue.record_step(lost, Step.DATA)
    assert await LeaseStore(database, clock, waiting.note).take_over(Kind.MAIL) == 1
    assert await told(database) == [("email.delivery_delayed", [ANNA])]
    await queue.record(lost, attempted(lost))
    assert len(await told(database)) == 1


async def test_a_lease_that_ended_is_told_when_the_message_is_taken_again(
    queue: QueueStore, intake: Intake, database: Database, clock: HeldClock, portal: str
) -> None:
    await submit_mail(intake, portal)
    await claimed(queue, portal)
    clock.advance(LEASE_SECONDS + 1.0)
    await claimed(queue, portal)
    assert await told(database) == [("email.delivery_delayed", [ANNA])]


async def test_a_message_whose_time_is_over_has_failed(
    queue: QueueStore, intake: Intake, database: Database, clock: HeldClock, portal: str
) -> None:
    await submit_mail(intake, portal, expires_at=clock.now() + 5 * MICROSECONDS)
    clock.advance(6.0)
    assert await queue.claim(portal, Kind.MAIL, ()) == []
    assert await told(database) == [("email.failed", [ANNA])]


async def test_tests_and_notices_are_not_told(
    queue: QueueStore, intake: Intake, database: Database, portal: str
) -> None:
    await submit_test(intake, portal)
    await submit_mail(intake, portal, kind=Kind.NOTICE)
    for kind in (Kind.TEST, Kind.NOTICE):
        claim = await claimed(queue, portal, kind)
        await queue.record(claim, attempted(claim))
    assert await told(database) == []
