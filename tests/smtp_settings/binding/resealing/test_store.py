from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.resealing.store import OAuth2Resealing
from smarthost.smtp_settings.binding.sealing import VerifierPlace
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.binding.tokens.store import Fetched, TokenStore
from smarthost.smtp_settings.resealing.store import PasswordResealing, Resealed
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id, key_of
from smarthost.smtp_settings.store import SettingsStore, keys_in_use
from tests.clocks import FakeClock
from tests.engines import executing
from tests.smtp_settings.binding.bindings import CONSENTED
from tests.smtp_settings.conftest import ADMIN
from tests.smtp_settings.relays import draft

OLD, NEW = bytes(range(KEY_OCTETS)), b"n" * KEY_OCTETS
REFRESH, VERIFIER = Secret("c4nary-refresh-1"), Secret("c4nary verifier")
JOURNEY = """
INSERT INTO oauth2_authorizations
    (portal_id, state_hash, revision, actor, redirect_uri, sealed_verifier, expires_at)
VALUES ($1, $2, 2, 'operator', 'https://a.example.com/callback', $3, 99)"""


def rings() -> tuple[KeyRing, KeyRing]:
    """The ring of before, and the one with a new key."""
    keys = {key_id(key): key for key in (OLD, NEW)}
    return KeyRing(keys, key_id(OLD)), KeyRing(keys, key_id(NEW))


async def test_all_that_oauth2_has_sealed_comes_under_the_new_key(
    store: SettingsStore,
    bindings: BindingStore,
    tokens: TokenStore,
    database: Database,
    clock: FakeClock,
    portal: str,
    neighbour: str,
) -> None:
    ring, both = rings()
    for one in (portal, neighbour):
        await store.save(one, draft(), ADMIN)
        await bindings.bind(one, CONSENTED, ADMIN)
        await tokens.keep(one, 2, Fetched(at=1, refresh=REFRESH))
    place = VerifierPlace(portal_id=portal, state_hash=b"hash")
    sealed = ring.seal(VERIFIER, place)
    await database.transact(executing(JOURNEY, portal, b"hash", sealed))
    audit = AuditLog(clock, Ids(clock))
    resealing = OAuth2Resealing(database, audit, clock, both)
    assert await resealing.reseal(portal, ADMIN) == Resealed(sealed=2)
    assert await resealing.reseal(portal, ADMIN) == Resealed()
    bound = await store.current(portal)
    assert await TokenStore(database, clock, both).refresh_token(bound) == REFRESH
    rows = await database.fetch("SELECT sealed_verifier FROM oauth2_authorizations")
    assert key_of(rows[0][0]) == key_id(NEW)
    assert both.open(rows[0][0], place) == VERIFIER
    told = "SELECT subject, details FROM audit_events WHERE action = 'settings.resealed'"
    assert await database.fetch(told) == [(key_id(NEW), '{"oauth2":2}')]
    assert key_id(NEW) in await keys_in_use(database)
    theirs = await store.current(neighbour)
    assert await tokens.refresh_token(theirs) == REFRESH, "a neighbour's is as it was"
    # The binding itself goes with the passwords.
    passwords = PasswordResealing(database, audit, clock, both)
    assert await passwords.reseal(portal, ADMIN) == Resealed(sealed=2)


async def test_what_does_not_open_stays_and_its_key_is_told(
    store: SettingsStore,
    bindings: BindingStore,
    tokens: TokenStore,
    database: Database,
    clock: FakeClock,
    portal: str,
) -> None:
    _, both = rings()
    await store.save(portal, draft(), ADMIN)
    await bindings.bind(portal, CONSENTED, ADMIN)
    await tokens.keep(portal, 2, Fetched(at=1, refresh=REFRESH))
    damage = "UPDATE oauth2_tokens SET sealed_refresh_token = substr(sealed_refresh_token, 1, 30)"
    await database.transact(executing(damage))
    resealing = OAuth2Resealing(database, AuditLog(clock, Ids(clock)), clock, both)
    assert await resealing.reseal(portal, ADMIN) == Resealed(0, frozenset({key_id(OLD)}), 1)
