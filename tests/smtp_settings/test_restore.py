"""Restoring an earlier revision: a save, whose password is the one that stands there."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from smarthost.audit.model import Actor
from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.secret import Secret
from smarthost.smtp_settings.model import (
    InvalidSettingsError,
    NoSuchRevisionError,
    Revision,
    RevisionAction,
    RevisionConflictError,
    SmtpSettings,
)
from smarthost.smtp_settings.resealing.store import PasswordResealing
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id, key_of
from smarthost.smtp_settings.store import NO_LONGER_OPENS, SettingsStore, keys_in_use
from tests.clocks import FakeClock
from tests.engines import executing
from tests.smtp_settings.conftest import ADMIN
from tests.smtp_settings.relays import CANARY, OPEN_RELAY, RELAY, draft, relay

OLD, NEW = bytes(range(KEY_OCTETS)), b"n" * KEY_OCTETS
OTHER = Actor(name="other@example.com")
BLOBS = """
SELECT revision, sealed_password FROM smtp_settings_revisions
WHERE portal_id = $1 ORDER BY revision"""
SET_BLOB = """
UPDATE smtp_settings_revisions SET sealed_password = $3 WHERE portal_id = $1 AND revision = $2"""
EVENTS = """
SELECT action, subject, details, actor FROM audit_events
WHERE portal_id = $1 AND action LIKE 'settings.%' ORDER BY number"""

Restoring = Callable[[int], Awaitable[Revision]]


@pytest.fixture
def restore(store: SettingsStore, portal: str) -> Restoring:
    return lambda number: store.restore(portal, number, OTHER)


def ring_of(*keys: bytes) -> KeyRing:
    """The last one seals."""
    return KeyRing({key_id(key): key for key in keys}, key_id(keys[-1]))


def opened(revision: Revision, ring: KeyRing) -> Secret:
    assert revision.settings is not None
    assert revision.sealed_password is not None
    return ring.open(revision.sealed_password, revision.settings.destination(revision.portal_id))


async def last_event(database: Database, portal: str) -> tuple[str, str, object, str]:
    action, subject, details, actor = (await database.fetch(EVENTS, portal))[-1]
    return action, subject, json.loads(details), actor


async def blobs(database: Database, portal: str) -> dict[int, bytes]:
    return dict(await database.fetch(BLOBS, portal))


async def does_not_open(store: SettingsStore, portal: str, number: int) -> None:
    before = await store.current(portal)
    with pytest.raises(InvalidSettingsError) as caught:
        await store.restore(portal, number, ADMIN)
    assert caught.value.faults == {"password": [NO_LONGER_OPENS]}
    assert await store.current(portal) == before


async def test_an_earlier_revision_is_saved_once_more_with_its_password(
    store: SettingsStore,
    database: Database,
    portal: str,
    ring: KeyRing,
    restore: Restoring,
    clock: FakeClock,
) -> None:
    first = await store.save(portal, draft(), ADMIN)
    await store.save(portal, draft(relay(host="b.example.com"), "another"), ADMIN)
    clock.advance(5)
    restored = await restore(1)
    assert restored == await store.current(portal)
    assert (restored.number, restored.action) == (3, RevisionAction.RESTORE)
    assert (restored.saved_at, restored.saved_by) == (clock.now(), "other@example.com")
    assert restored.settings == RELAY
    assert opened(restored, ring) == Secret(CANARY)
    assert restored.sealed_password != first.sealed_password, "sealed anew"
    changed = {"changed": ["host", "password"], "from": 1}
    event = ("settings.restored", "3", changed, "other@example.com")
    assert await last_event(database, portal) == event
    assert await store.revision(portal, 1) == first


async def test_of_one_destination_the_password_of_that_revision_comes_back(
    store: SettingsStore, database: Database, portal: str, ring: KeyRing, restore: Restoring
) -> None:
    await store.save(portal, draft(password="first"), ADMIN)
    await store.save(portal, draft(password="second"), ADMIN)
    assert opened(await restore(1), ring) == Secret("first")
    assert (await last_event(database, portal))[2] == {"changed": ["password"], "from": 1}
    assert opened(await restore(2), ring) == Secret("second")


async def test_what_is_in_force_already_makes_an_event_and_no_revision(
    store: SettingsStore, database: Database, portal: str, restore: Restoring
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.save(portal, draft(relay(port=1)), ADMIN)
    current = await store.save(portal, draft(), ADMIN)
    for number in (1, 3):
        assert await restore(number) == current
        action, subject, details, _ = await last_event(database, portal)
        assert (action, subject) == ("settings.restored", "3")
        assert details == {"changed": [], "from": number}
    assert len(await blobs(database, portal)) == 3


async def test_settings_without_a_login_come_back_without_a_password(
    store: SettingsStore, portal: str, restore: Restoring
) -> None:
    await store.save(portal, draft(OPEN_RELAY, None), ADMIN)
    await store.save(portal, draft(), ADMIN)
    restored = await restore(1)
    assert (restored.number, restored.settings, restored.sealed_password) == (3, OPEN_RELAY, None)


async def test_settings_come_back_after_a_reset(
    store: SettingsStore, portal: str, ring: KeyRing, restore: Restoring
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.reset(portal, ADMIN)
    restored = await restore(1)
    assert (restored.number, restored.settings) == (3, RELAY)
    assert opened(restored, ring) == Secret(CANARY)


async def test_restoring_a_reset_resets(
    store: SettingsStore, database: Database, portal: str, restore: Restoring
) -> None:
    await store.save(portal, draft(OPEN_RELAY, None), ADMIN)
    await store.reset(portal, ADMIN)
    again = await restore(2)
    assert again.number == 2, "it is in force"
    assert (await last_event(database, portal))[2] == {"changed": [], "from": 2}
    await store.save(portal, draft(), ADMIN)
    restored = await restore(2)
    assert (restored.number, restored.action) == (4, RevisionAction.RESET)
    assert (restored.settings, restored.sealed_password) == (None, None)
    action, subject, _, _ = await last_event(database, portal)
    assert (action, subject) == ("settings.restored", "4")


@pytest.mark.parametrize("number", [0, -1, 3, 1 << 62])
async def test_a_revision_that_was_never_written_is_not_there(
    store: SettingsStore, database: Database, portal: str, neighbour: str, number: int
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.reset(portal, ADMIN)
    before = await database.fetch(EVENTS, portal)
    for if_match in (None, frozenset({1})):
        with pytest.raises(NoSuchRevisionError, match="no such revision"):
            await store.restore(portal, number, ADMIN, if_match)
    assert await database.fetch(EVENTS, portal) == before
    with pytest.raises(NoSuchRevisionError):
        await store.restore(neighbour, 1, ADMIN)


async def test_what_was_not_seen_is_not_undone(
    store: SettingsStore, database: Database, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.save(portal, draft(relay(port=465)), ADMIN)
    current = await store.save(portal, draft(relay(port=465, sender_display_name=None)), OTHER)
    before = await database.fetch(EVENTS, portal)
    with pytest.raises(RevisionConflictError) as caught:
        await store.restore(portal, 1, ADMIN, frozenset({2}))
    assert "revision 3 saved by other@example.com (senderDisplayName)" in str(caught.value)
    assert await store.current(portal) == current
    assert await database.fetch(EVENTS, portal) == before
    assert (await store.restore(portal, 1, ADMIN, frozenset({3}))).number == 4


async def test_of_racing_restores_and_saves_that_have_seen_the_same_one_alone_succeeds(
    store: SettingsStore, database: Database, portal: str
) -> None:
    for port in (1, 2, 3):
        await store.save(portal, draft(relay(port=port)), ADMIN)
    seen = frozenset({3})
    results = await asyncio.gather(
        *(store.restore(portal, 1 + number % 2, OTHER, seen) for number in range(20)),
        *(store.save(portal, draft(relay(port=port)), OTHER, seen) for port in range(10, 30)),
        return_exceptions=True,
    )
    assert sum(isinstance(got, Revision) for got in results) == 1
    told = {str(got) for got in results if isinstance(got, RevisionConflictError)}
    (words,) = told
    assert words.startswith("Since revision 3: revision 4 ")
    assert " by other@example.com (port, credentialsUserPassword). Read" in words
    assert list(await blobs(database, portal)) == [1, 2, 3, 4]


async def test_racing_restores_never_part_a_password_from_its_destination(
    store: SettingsStore, database: Database, portal: str, ring: KeyRing
) -> None:
    hosts = [f"relay{number}.example.com" for number in range(5)]
    for host in hosts:
        await store.save(portal, draft(relay(host=host), f"password of {host}"), ADMIN)
    await asyncio.gather(
        *(store.restore(portal, 1 + number % 5, ADMIN) for number in range(100)),
        *(store.save(portal, draft(relay(host=host), "typed"), ADMIN) for host in ("x.org",) * 9),
    )
    newest = (await store.current(portal)).number
    assert newest > 20
    for number in range(1, newest + 1):
        revision = await store.revision(portal, number)
        assert revision.settings is not None
        host = revision.settings.host
        expected = "typed" if host == "x.org" else f"password of {host}"
        assert opened(revision, ring) == Secret(expected)


async def test_after_a_rotation_it_is_sealed_with_the_new_key(
    store: SettingsStore, database: Database, portal: str, clock: FakeClock
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.reset(portal, ADMIN)
    audit = AuditLog(clock, Ids(clock))
    both = SettingsStore(database, audit, clock, ring_of(OLD, NEW))
    restored = await both.restore(portal, 1, ADMIN)
    assert restored.sealed_password is not None
    assert key_of(restored.sealed_password) == key_id(NEW)
    assert opened(restored, ring_of(NEW)) == Secret(CANARY)
    assert await keys_in_use(database) == {key_id(OLD), key_id(NEW)}
    await PasswordResealing(database, audit, clock, ring_of(OLD, NEW)).reseal(portal, ADMIN)
    alone = SettingsStore(database, audit, clock, ring_of(NEW))
    await alone.reset(portal, ADMIN)
    assert opened(await alone.restore(portal, 1, ADMIN), ring_of(NEW)) == Secret(CANARY)


async def test_without_its_key_the_password_has_to_be_typed_again(
    store: SettingsStore, database: Database, portal: str, clock: FakeClock
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.save(portal, draft(OPEN_RELAY, None), ADMIN)
    other = SettingsStore(database, AuditLog(clock, Ids(clock)), clock, ring_of(NEW))
    await does_not_open(other, portal, 1)
    assert (await other.restore(portal, 2, ADMIN)).number == 2, "there is none to be opened"


async def test_an_altered_password_is_not_restored(
    store: SettingsStore, database: Database, portal: str
) -> None:
    sealed = (await store.save(portal, draft(), ADMIN)).sealed_password
    assert sealed is not None
    await store.reset(portal, ADMIN)
    for altered in (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"", sealed[:20]):
        await database.transact(executing(SET_BLOB, portal, 1, altered))
        await does_not_open(store, portal, 1)


@pytest.mark.parametrize(
    "other",
    [
        relay(host="evil.example.org"),
        relay(port=588),
        relay(enable_ssl=False),
        relay(use_ntlm=True),
        relay(user_name="Notify"),
    ],
    ids=["host", "port", "TLS", "NTLM", "user name"],
)
async def test_passwords_that_were_swapped_by_sql_do_not_open(
    store: SettingsStore, database: Database, portal: str, other: SmtpSettings
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.save(portal, draft(other, "another"), ADMIN)
    await store.reset(portal, ADMIN)
    before = await blobs(database, portal)
    for number in (1, 2):
        await database.transact(executing(SET_BLOB, portal, number, before[3 - number]))
    for number in (1, 2):
        await does_not_open(store, portal, number)


async def test_a_neighbours_password_does_not_come_by_a_restore(
    store: SettingsStore, database: Database, portal: str, neighbour: str
) -> None:
    theirs = (await store.save(neighbour, draft(), ADMIN)).sealed_password
    await store.save(portal, draft(), ADMIN)
    await store.reset(portal, ADMIN)
    await database.transact(executing(SET_BLOB, portal, 1, theirs))
    await does_not_open(store, portal, 1)


async def test_it_heals_settings_in_force_whose_password_was_altered(
    store: SettingsStore, database: Database, portal: str, ring: KeyRing
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.save(portal, draft(relay(sender_display_name=None), None), ADMIN)
    await store.restore(portal, 1, ADMIN)
    await database.transact(executing(SET_BLOB, portal, 3, b"altered"))
    restored = await store.restore(portal, 1, ADMIN)
    assert restored.number == 4
    assert opened(restored, ring) == Secret(CANARY)


async def test_it_lifts_holds_as_a_save_does(
    database: Database, clock: FakeClock, ring: KeyRing, portal: str
) -> None:
    told: list[str] = []

    async def note(tx: Transaction, whose: str) -> None:
        assert len(await tx.fetch(BLOBS, whose)) == len(told) + 1, "in its transaction"
        told.append(whose)

    audit = AuditLog(clock, Ids(clock))
    store = SettingsStore(database, audit, clock, ring, in_each_save=note)
    await store.save(portal, draft(), ADMIN)
    await store.reset(portal, ADMIN)
    await store.restore(portal, 1, ADMIN)
    assert told == [portal] * 3
    await store.restore(portal, 1, ADMIN)
    assert told == [portal] * 3, "it was in force"
