import asyncio

import msgspec

from smarthost.database.engine import Database, Transaction
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import State
from smarthost.webhooks.model import FailedTry, NotTaken, Target, Waiting
from smarthost.webhooks.schedule import KEPT_SECONDS
from smarthost.webhooks.store import WebhookStore
from smarthost.webhooks.waiting.store import WaitingEvents
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import ANNA, BORIS
from tests.webhooks.told import BY, URL, accept, ended, note

OTHER = "https://other.example.com/"
EVENTS = "SELECT payload FROM webhook_events ORDER BY portal_id, id"


async def fail(waiting: WaitingEvents, portal: str, at: int, status: int = 500) -> int:
    """Let the portal's first due event fail."""
    target, event = await due(waiting, portal)
    failed = FailedTry(at=at, failure=NotTaken.REFUSED, status=status)
    return await waiting.put_off(target, event, failed, 0.5)


async def due(waiting: WaitingEvents, portal: str) -> tuple[Target, Waiting]:
    target = await waiting.target(portal)
    assert target is not None
    return target, (await waiting.due_events(portal, 1))[0]


async def payloads(database: Database) -> list[dict[str, object]]:
    return [msgspec.json.decode(row[0]) for row in await database.fetch(EVENTS)]


async def test_without_a_webhook_nothing_is_written(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
    neighbour: str,
) -> None:
    await store.put(neighbour, URL, BY, renew_secret=False)
    await note(database, waiting, portal, await accept(intake, clock, portal), ended())
    assert await payloads(database) == []
    assert await waiting.due_portals(10) == []


async def test_one_change_makes_one_event_of_each_type(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    message = await accept(intake, clock, portal)
    await note(database, waiting, portal, message, ended(), ended(State.FAILED, BORIS, attempts=2))
    told = await payloads(database)
    assert {event["type"] for event in told} == {"email.sent", "email.failed"}
    assert [event["data"]["email_id"] for event in told] == [message, message]  # type: ignore[index]
    assert await waiting.due_portals(10) == [portal]


async def test_an_event_is_there_exactly_if_its_outcome_is(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    message = await accept(intake, clock, portal)

    async def broken(tx: Transaction) -> None:
        await waiting.note(tx, portal, message, [ended()])
        raise ZeroDivisionError

    results = await asyncio.gather(database.transact(broken), return_exceptions=True)
    assert isinstance(results[0], ZeroDivisionError)
    assert await payloads(database) == []
    assert await waiting.due_portals(10) == []


async def test_events_come_in_their_order_and_go_when_they_are_taken(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    messages = [await accept(intake, clock, portal) for _ in range(3)]
    for message in messages:
        await note(database, waiting, portal, message, ended())
        clock.advance(0.01)
    events = await waiting.due_events(portal, 10)
    told = [msgspec.json.decode(event.payload)["data"]["email_id"] for event in events]
    assert told == messages
    target = await waiting.target(portal)
    assert target is not None
    for event in events:
        assert await waiting.due_portals(10) == [portal]
        await waiting.taken(target, event)
    assert await waiting.due_portals(10) == []
    webhook = await store.of(portal)
    assert webhook is not None
    assert (webhook.delivered_at, webhook.waiting_since) == (clock.now(), None)


async def test_after_a_failure_the_receiver_is_left_alone_for_a_while(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    message = await accept(intake, clock, portal)
    await note(database, waiting, portal, message, ended(address=ANNA))
    made = clock.now()
    waits = []
    for _ in range(4):
        await fail(waiting, portal, clock.now())
        # What is new waits for the receiver too.
        await note(database, waiting, portal, message, ended(address=BORIS))
        began = clock.now()
        while not await waiting.due_portals(10):
            clock.advance(1.0)
        waits.append(round((clock.now() - began) / 1e6))
    assert waits == [5, 30, 120, 600]
    webhook = await store.of(portal)
    assert webhook is not None
    assert webhook.waiting_since == made
    assert webhook.last_failure is not None
    assert (webhook.last_failure.failure, webhook.last_failure.status) == (
        NotTaken.REFUSED,
        500,
    )
    assert "status 500" in webhook.last_failure.text


async def test_one_event_that_is_never_taken_keeps_no_other_back(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    message = await accept(intake, clock, portal)
    await note(database, waiting, portal, message, ended())
    for _ in range(4):
        clock.advance(3600.0)
        await fail(waiting, portal, clock.now())
    await note(database, waiting, portal, message, ended(address=BORIS))
    clock.advance(700.0)
    target, _ = await due(waiting, portal)
    for event in await waiting.due_events(portal, 10):
        await waiting.taken(target, event)
        break
    target, event = await due(waiting, portal)
    assert target.failures == 0
    assert await waiting.due_portals(10) == [portal]


async def test_an_event_is_given_up_after_a_day(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    message = await accept(intake, clock, portal)
    for _ in range(3):  # of which one is tried
        await note(database, waiting, portal, message, ended())
    clock.advance(KEPT_SECONDS - 1.0)
    assert await fail(waiting, portal, clock.now()) == 0
    clock.advance(10.0)
    assert await fail(waiting, portal, clock.now()) == 2
    assert len(await payloads(database)) == 1
    clock.advance(3600.0)
    assert await fail(waiting, portal, clock.now()) == 1
    webhook = await store.of(portal)
    assert webhook is not None
    assert (webhook.dropped, webhook.waiting_since) == (3, None)
    assert await waiting.due_portals(10) == []


async def test_a_receiver_that_wants_no_more_gets_no_more(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    message = await accept(intake, clock, portal)
    for _ in range(3):
        await note(database, waiting, portal, message, ended())
    target, _ = await due(waiting, portal)
    gone = FailedTry(at=clock.now(), failure=NotTaken.GONE, status=410)
    await waiting.switch_off(target, gone)
    await note(database, waiting, portal, message, ended())
    await waiting.settle(portal)
    assert await payloads(database) == []
    assert (await waiting.target(portal), await waiting.due_portals(10)) == (None, [])
    webhook = await store.of(portal)
    assert webhook is not None
    assert (webhook.switched_off_at, webhook.last_failure) == (clock.now(), gone)
    webhook, secret = await store.put(portal, URL, BY, renew_secret=False)
    assert (webhook.switched_off_at, webhook.last_failure, secret) == (None, None, None)
    await note(database, waiting, portal, message, ended())
    assert await waiting.due_portals(10) == [portal]


async def test_setting_it_again_delivers_at_once(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    await note(database, waiting, portal, await accept(intake, clock, portal), ended())
    for _ in range(3):
        await fail(waiting, portal, clock.now())
        clock.advance(3600.0)
    await fail(waiting, portal, clock.now())
    assert await waiting.due_portals(10) == []
    await store.put(portal, OTHER, BY, renew_secret=False)
    assert await waiting.due_portals(10) == [portal]
    assert len(await waiting.due_events(portal, 10)) == 1


async def test_a_delivery_to_a_former_receiver_says_nothing_of_the_next(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    await note(database, waiting, portal, await accept(intake, clock, portal), ended())
    target, event = await due(waiting, portal)
    clock.advance(1.0)
    await store.put(portal, OTHER, BY, renew_secret=False)
    failed = FailedTry(at=clock.now(), failure=NotTaken.GONE, status=410)
    await waiting.switch_off(target, failed)
    await waiting.put_off(target, event, failed, 0.5)
    webhook = await store.of(portal)
    assert webhook is not None
    assert (webhook.url, webhook.switched_off_at, webhook.last_failure) == (OTHER, None, None)
