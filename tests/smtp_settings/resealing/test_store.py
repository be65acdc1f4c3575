import pytest

from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.secret import Secret
from smarthost.smtp_settings.resealing.store import PasswordResealing, Resealed
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id, key_of
from smarthost.smtp_settings.store import SettingsStore, keys_in_use
from tests.clocks import FakeClock
from tests.engines import columns, executing
from tests.smtp_settings.conftest import ADMIN
from tests.smtp_settings.relays import CANARY, OPEN_RELAY, draft, relay

OLD, NEW = bytes(range(KEY_OCTETS)), b"n" * KEY_OCTETS
BLOBS = """
SELECT revision, sealed_password FROM smtp_settings_revisions
WHERE portal_id = $1 ORDER BY revision"""
REVISIONS = """
SELECT portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
       sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm
FROM smtp_settings_revisions ORDER BY portal_id, revision"""
EVENTS = "SELECT subject, details FROM audit_events WHERE action = 'settings.resealed'"


@pytest.fixture
def both() -> KeyRing:
    """The ring of the store's fixture, after a rotation."""
    return KeyRing({key_id(key): key for key in (OLD, NEW)}, key_id(NEW))


@pytest.fixture
def resealing(database: Database, clock: FakeClock, both: KeyRing) -> PasswordResealing:
    return PasswordResealing(database, AuditLog(clock, Ids(clock)), clock, both)


async def blobs(database: Database, portal: str) -> dict[int, bytes | None]:
    return dict(await database.fetch(BLOBS, portal))


async def test_every_revision_of_the_portal_opens_with_the_new_key_alone(
    database: Database,
    store: SettingsStore,
    resealing: PasswordResealing,
    portal: str,
    neighbour: str,
) -> None:
    for number in range(250):
        await store.save(portal, draft(relay(user_name=f"u{number}"), CANARY), ADMIN)
    await store.save(portal, draft(OPEN_RELAY, None), ADMIN)
    await store.save(neighbour, draft(), ADMIN)
    theirs = await blobs(database, neighbour)
    before = await database.fetch(REVISIONS)
    assert await resealing.reseal(portal, ADMIN) == Resealed(sealed=250)
    new = KeyRing({key_id(NEW): NEW}, key_id(NEW))
    for number in range(1, 251):
        revision = await store.revision(portal, number)
        assert revision.settings is not None
        assert revision.sealed_password is not None
        destination = revision.settings.destination(portal)
        assert new.open(revision.sealed_password, destination) == Secret(CANARY)
    assert await database.fetch(REVISIONS) == before, "nothing else of them has changed"
    assert await blobs(database, neighbour) == theirs
    told = await database.fetch(EVENTS)
    counts = (100, 100, 50)
    assert sorted(told) == sorted((key_id(NEW), f'{{"passwords":{one}}}') for one in counts)
    assert await resealing.reseal(portal, ADMIN) == Resealed()


async def test_what_does_not_open_stays_and_its_key_is_told(
    database: Database, store: SettingsStore, resealing: PasswordResealing, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.save(portal, draft(relay(port=465), CANARY), ADMIN)
    first = (await blobs(database, portal))[1]
    moved = "UPDATE smtp_settings_revisions SET sealed_password = $1 WHERE revision = 2"
    await database.transact(executing(moved, first))
    assert await resealing.reseal(portal, ADMIN) == Resealed(1, frozenset({key_id(OLD)}), 1)
    assert (await blobs(database, portal))[2] == first
    assert await resealing.reseal(portal, ADMIN) == Resealed(0, frozenset({key_id(OLD)}), 1)


async def test_a_blob_that_was_replaced_meanwhile_is_left_alone(
    database: Database, store: SettingsStore, resealing: PasswordResealing, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    rows = await database.fetch(
        REVISIONS.replace("use_ntlm", "use_ntlm, oauth2, oauth2_revision, sealed_password")
    )
    other = "UPDATE smtp_settings_revisions SET sealed_password = $1"
    await database.transact(executing(other, b"another"))
    assert await resealing._page(portal, rows, ADMIN) == Resealed()
    assert await blobs(database, portal) == {1: b"another"}
    assert await database.fetch(EVENTS) == []


async def test_a_save_writes_down_the_key_that_it_has_used(
    database: Database, clock: FakeClock, both: KeyRing, resealing: PasswordResealing, portal: str
) -> None:
    """The ring may have got it after the start of the process that saves."""
    store = SettingsStore(database, AuditLog(clock, Ids(clock)), clock, both)
    await store.save(portal, draft(), ADMIN)
    assert await keys_in_use(database) == {key_id(NEW)}
    (blob,) = (await blobs(database, portal)).values()
    assert blob is not None
    assert key_of(blob) == key_id(NEW)


async def test_keys_that_nothing_needs_any_more_are_forgotten(
    database: Database, store: SettingsStore, resealing: PasswordResealing, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    await resealing.reseal(portal, ADMIN)
    assert await keys_in_use(database) == {key_id(OLD), key_id(NEW)}
    await resealing.forget_keys(frozenset({key_id(NEW)}))
    assert await keys_in_use(database) == {key_id(NEW)}


async def test_nothing_of_a_revision_but_its_seal_may_change(
    database: Database, store: SettingsStore, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    names = [
        column
        for table, column in await columns(database)
        if table == "smtp_settings_revisions" and column != "sealed_password"
    ]
    assert len(names) == 16
    for column in names:
        change = executing(f"UPDATE smtp_settings_revisions SET {column} = {column}")
        with pytest.raises(Exception, match="never changed"):
            await database.transact(change)
    with pytest.raises(Exception, match=r"(?i)check constraint"):
        await database.transact(
            executing("UPDATE smtp_settings_revisions SET sealed_password = NULL")
        )
