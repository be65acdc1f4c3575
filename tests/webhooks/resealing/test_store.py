from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.smtp_settings.resealing.store import Resealed
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.smtp_settings.store import keys_in_use
from smarthost.webhooks.resealing.store import SecretResealing
from smarthost.webhooks.store import WebhookStore
from smarthost.webhooks.waiting.store import WaitingEvents
from tests.engines import executing
from tests.mail_queue.clocks import HeldClock
from tests.webhooks.told import BY, URL

OLD, NEW = bytes(range(KEY_OCTETS)), b"n" * KEY_OCTETS
BOTH = KeyRing({key_id(key): key for key in (OLD, NEW)}, key_id(NEW))
EVENTS = "SELECT portal_id, subject FROM audit_events WHERE action = 'webhook.resealed'"


def resealing_of(database: Database, clock: HeldClock) -> SecretResealing:
    return SecretResealing(database, AuditLog(clock, Ids(clock)), clock, BOTH)


async def test_a_secret_opens_with_the_new_key_alone(
    database: Database, store: WebhookStore, clock: HeldClock, portal: str, neighbour: str
) -> None:
    _, secret = await store.put(portal, URL, BY, renew_secret=False)
    await store.put(neighbour, URL, BY, renew_secret=False)
    resealing = resealing_of(database, clock)
    assert await resealing.reseal(portal, BY) == Resealed(sealed=1)
    new = KeyRing({key_id(NEW): NEW}, key_id(NEW))
    renewed = WaitingEvents(database, clock, Ids(clock), new)
    target, theirs = await renewed.target(portal), await renewed.target(neighbour)
    assert target is not None
    assert theirs is not None
    assert (target.secret, theirs.secret) == (secret, None)
    assert await database.fetch(EVENTS) == [(portal, key_id(NEW))]
    assert await resealing.reseal(portal, BY) == Resealed()


async def test_without_a_webhook_there_is_nothing_to_do(
    database: Database, clock: HeldClock, portal: str
) -> None:
    assert await resealing_of(database, clock).reseal(portal, BY) == Resealed()


async def test_a_secret_that_does_not_open_stays(
    database: Database, store: WebhookStore, clock: HeldClock, portal: str
) -> None:
    await store.put(portal, URL, BY, renew_secret=False)
    await database.transact(executing("UPDATE webhooks SET url = 'https://evil.example.com/'"))
    before = await database.fetch("SELECT sealed_secret FROM webhooks")
    told = await resealing_of(database, clock).reseal(portal, BY)
    assert told == Resealed(0, frozenset({key_id(OLD)}), 1)
    assert await database.fetch("SELECT sealed_secret FROM webhooks") == before


async def test_a_new_secret_writes_down_the_key_that_it_has_used(
    database: Database, clock: HeldClock, portal: str
) -> None:
    store = WebhookStore(database, AuditLog(clock, Ids(clock)), clock, BOTH)
    await store.put(portal, URL, BY, renew_secret=False)
    assert await keys_in_use(database) == {key_id(NEW)}
