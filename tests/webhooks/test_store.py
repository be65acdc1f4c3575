from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.mail_queue.intake import Intake
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.webhooks.store import WebhookStore
from smarthost.webhooks.waiting.store import WaitingEvents
from tests.mail_queue.clocks import HeldClock
from tests.webhooks.told import BY, URL, accept, ended, note

OTHER = "https://other.example.com/"
AUDIT = (
    "SELECT action, subject, details FROM audit_events WHERE portal_id = $1 AND action LIKE 'w%'"
)
EVENTS = "SELECT portal_id FROM webhook_events"


async def test_a_portal_has_none_at_first(
    store: WebhookStore, waiting: WaitingEvents, portal: str
) -> None:
    assert await store.of(portal) is None
    assert await waiting.target(portal) is None
    assert await store.remove(portal, BY) is False


async def test_a_secret_is_shown_once_and_opens_for_deliveries(
    store: WebhookStore, waiting: WaitingEvents, portal: str, clock: HeldClock
) -> None:
    webhook, secret = await store.put(portal, URL, BY, renew_secret=False)
    assert secret is not None
    assert (webhook.url, webhook.set_at, webhook.dropped) == (URL, clock.now(), 0)
    target = await waiting.target(portal)
    assert target is not None
    assert target.secret == secret
    assert secret.reveal() not in repr(target) + repr(webhook)


async def test_the_same_url_keeps_its_secret(
    store: WebhookStore, waiting: WaitingEvents, portal: str
) -> None:
    _, first = await store.put(portal, URL, BY, renew_secret=False)
    _, kept = await store.put(portal, URL, BY, renew_secret=False)
    assert kept is None
    target = await waiting.target(portal)
    assert target is not None
    assert target.secret == first


async def test_another_url_or_a_wish_makes_a_new_secret(store: WebhookStore, portal: str) -> None:
    secrets = [
        (await store.put(portal, url, BY, renew_secret=renew))[1]
        for url, renew in ((URL, False), (OTHER, False), (OTHER, True), (URL, False))
    ]
    assert len({secret.reveal() for secret in secrets if secret is not None}) == 4


async def test_a_secret_is_sealed_at_rest(
    database: Database, store: WebhookStore, portal: str
) -> None:
    _, secret = await store.put(portal, URL, BY, renew_secret=False)
    assert secret is not None
    ((sealed,),) = await database.fetch("SELECT sealed_secret FROM webhooks")
    assert secret.reveal().encode() not in sealed


async def test_a_secret_that_was_moved_to_another_url_does_not_open(
    database: Database, store: WebhookStore, waiting: WaitingEvents, portal: str
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)

    async def move(tx: Transaction) -> None:
        await tx.execute("UPDATE webhooks SET url = $1", OTHER)

    await database.transact(move)
    target = await waiting.target(portal)
    assert target is not None
    assert target.secret is None


async def test_without_its_key_a_secret_does_not_open(
    database: Database, store: WebhookStore, clock: HeldClock, portal: str
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    key = b"x" * KEY_OCTETS
    ring = KeyRing({key_id(key): key}, key_id(key))
    target = await WaitingEvents(database, clock, Ids(clock), ring).target(portal)
    assert target is not None
    assert target.secret is None


async def test_changes_are_audited_without_secrets(
    database: Database, store: WebhookStore, portal: str
) -> None:
    _, secret = await store.put(portal, f"{URL}?token=t0ken", BY, renew_secret=False)
    await store.remove(portal, BY)
    rows = await database.fetch(AUDIT, portal)
    assert {(row[0], row[1]) for row in rows} == {
        ("webhook.set", "app.example.com"),
        ("webhook.removed", "app.example.com"),
    }
    assert secret is not None
    assert "t0ken" not in str(rows)
    assert secret.reveal() not in str(rows)


async def test_removing_it_forgets_what_waits(
    database: Database,
    store: WebhookStore,
    waiting: WaitingEvents,
    intake: Intake,
    clock: HeldClock,
    portal: str,
    neighbour: str,
) -> None:
    for one in (portal, neighbour):
        await store.put(one, URL, BY, renew_secret=False)
        await note(database, waiting, one, await accept(intake, clock, one), ended())
    assert await store.remove(portal, BY) is True
    assert await store.of(portal) is None
    assert await database.fetch(EVENTS) == [(neighbour,)]
    assert await waiting.due_portals(10) == [neighbour]
