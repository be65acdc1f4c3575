import asyncio
import base64
import json
import os
import random
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from smarthost.audit.model import Actor
from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.secret import Secret
from smarthost.smtp_settings.model import (
    InvalidSettingsError,
    Revision,
    RevisionAction,
    RevisionConflictError,
    SmtpSettings,
)
from smarthost.smtp_settings.rules import NOTHING_STORED
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, SealBrokenError, key_id
from smarthost.smtp_settings.store import SettingsStore, keys_in_use
from tests.clocks import START, FakeClock
from tests.engines import executing
from tests.smtp_settings.conftest import ADMIN
from tests.smtp_settings.relays import CANARY, OPEN_RELAY, RELAY, draft, relay

OTHERS: dict[str, Any] = {
    "host": "evil.example.org",
    "port": 588,
    "enable_ssl": False,
    "use_ntlm": True,
    "user_name": "Notify",
}
FIELDS_OF_ANOTHER_RELAY = [
    *OTHERS.items(),
    ("sender_address", "other@example.com"),
    ("sender_display_name", None),
]


def password_of(revision: Revision, ring: KeyRing) -> str:
    assert revision.settings is not None
    assert revision.sealed_password is not None
    destination = revision.settings.destination(revision.portal_id)
    return ring.open(revision.sealed_password, destination).reveal()


async def revisions(database: Database, portal: str) -> list[int]:
    sql = "SELECT revision FROM smtp_settings_revisions WHERE portal_id = $1 ORDER BY revision"
    return [row[0] for row in await database.fetch(sql, portal)]


async def events(database: Database, portal: str) -> list[tuple[str, str, list[str]]]:
    """What the audit tells of settings: action, revision, changed fields."""
    sql = (
        "SELECT action, subject, details FROM audit_events "
        "WHERE portal_id = $1 AND action LIKE 'settings.%' ORDER BY at, id"
    )
    rows = await database.fetch(sql, portal)
    return [(action, subject, json.loads(details)["changed"]) for action, subject, details in rows]


async def needs_password(store: SettingsStore, portal: str, settings: SmtpSettings) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        await store.save(portal, draft(settings, None), ADMIN)
    assert caught.value.faults == {"password": [NOTHING_STORED]}


async def test_a_portal_that_saved_nothing_has_revision_0(
    store: SettingsStore, portal: str
) -> None:
    current = await store.current(portal)
    assert (current.portal_id, current.number, current.settings) == (portal, 0, None)
    assert current.sealed_password is None


async def test_what_was_saved_is_in_force(
    store: SettingsStore, portal: str, ring: KeyRing
) -> None:
    saved = await store.save(portal, draft(), ADMIN)
    assert saved == await store.current(portal)
    assert saved.settings == RELAY
    assert (saved.number, saved.action) == (1, RevisionAction.SAVE)
    assert (saved.saved_at, saved.saved_by) == (START, "admin@example.com")
    assert password_of(saved, ring) == CANARY


@pytest.mark.parametrize(
    "settings",
    [
        OPEN_RELAY,
        relay(sender_display_name=None, use_ntlm=True, enable_ssl=False),
        relay(host="2001:db8::1", port=65535, user_name="jürgen", sender_display_name="Größe"),
    ],
)
async def test_every_field_is_read_as_it_was_saved(
    store: SettingsStore, portal: str, settings: SmtpSettings
) -> None:
    await store.save(portal, draft(settings, CANARY if settings.enable_auth else None), ADMIN)
    assert (await store.current(portal)).settings == settings


async def test_each_change_is_a_new_revision_and_the_old_ones_stay(
    store: SettingsStore, database: Database, portal: str, clock: FakeClock
) -> None:
    for number in range(1, 4):
        clock.advance(1)
        saved = await store.save(portal, draft(relay(port=number)), ADMIN)
        assert (saved.number, saved.saved_at) == (number, clock.now())
    ports = "SELECT port FROM smtp_settings_revisions WHERE portal_id = $1 ORDER BY revision"
    assert await database.fetch(ports, portal) == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE smtp_settings_revisions SET host = 'evil.example.org'",
        "UPDATE smtp_settings_revisions SET revision = revision + 1",
        "UPDATE smtp_settings_revisions SET sealed_password = NULL, enable_auth = 0",
        "UPDATE audit_events SET actor = 'nobody'",
    ],
)
async def test_a_revision_and_an_audit_event_are_never_changed(
    store: SettingsStore, database: Database, portal: str, sql: str
) -> None:
    before = await store.save(portal, draft(), ADMIN)
    with pytest.raises(Exception, match="is never changed"):
        await database.transact(executing(sql))
    assert await store.current(portal) == before


async def test_an_equal_save_makes_an_audit_event_and_no_revision(
    store: SettingsStore, database: Database, portal: str, clock: FakeClock
) -> None:
    first = await store.save(portal, draft(), ADMIN)
    clock.advance(1)
    assert await store.save(portal, draft(), ADMIN) == first
    clock.advance(1)
    assert await store.save(portal, draft(password=None), ADMIN) == first
    assert await revisions(database, portal) == [1]
    every = [name for name in SmtpSettings.__struct_fields__ if name != "oauth2"]
    every.append("password")
    saved, *equal = await events(database, portal)
    assert saved == ("settings.saved", "1", every)
    assert equal == [("settings.saved", "1", [])] * 2


async def test_an_equal_save_without_a_login_makes_no_revision(
    store: SettingsStore, database: Database, portal: str
) -> None:
    await store.save(portal, draft(OPEN_RELAY, None), ADMIN)
    await store.save(portal, draft(OPEN_RELAY, None), ADMIN)
    assert await revisions(database, portal) == [1]


@pytest.mark.parametrize(("field", "value"), FIELDS_OF_ANOTHER_RELAY)
async def test_one_changed_field_makes_a_revision_and_is_named_in_the_audit(
    store: SettingsStore, database: Database, portal: str, field: str, value: Any
) -> None:
    await store.save(portal, draft(), ADMIN)
    saved = await store.save(portal, draft(relay(**{field: value})), ADMIN)
    assert saved.number == 2
    changed = [field, "password"] if field in OTHERS else [field]
    assert ("settings.saved", "2", changed) in await events(database, portal)


async def test_another_password_makes_a_revision(
    store: SettingsStore, database: Database, portal: str, ring: KeyRing
) -> None:
    await store.save(portal, draft(), ADMIN)
    saved = await store.save(portal, draft(password="another"), ADMIN)
    assert (saved.number, password_of(saved, ring)) == (2, "another")
    assert ("settings.saved", "2", ["password"]) in await events(database, portal)


async def test_a_reset_puts_the_default_in_force_and_forgets_the_password(
    store: SettingsStore, database: Database, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    reset = await store.reset(portal, ADMIN)
    assert reset == await store.current(portal)
    assert (reset.number, reset.action) == (2, RevisionAction.RESET)
    assert (reset.settings, reset.sealed_password) == (None, None)
    await needs_password(store, portal, RELAY)
    assert (await store.reset(portal, ADMIN)).number == 2, "nothing to reset, no revision"
    assert await revisions(database, portal) == [1, 2]
    actions = [action for action, _, _ in await events(database, portal)]
    assert sorted(actions) == ["settings.reset", "settings.reset", "settings.saved"]


async def test_a_reset_of_nothing_stays_at_revision_0(
    store: SettingsStore, database: Database, portal: str
) -> None:
    assert (await store.reset(portal, ADMIN)).number == 0
    assert await events(database, portal) == [("settings.reset", "0", [])]


@pytest.mark.parametrize(("seen", "passes"), [({0}, True), ({1}, False), (set(), False)])
async def test_if_match_holds_before_the_first_save(
    store: SettingsStore, portal: str, seen: set[int], passes: bool
) -> None:
    if passes:
        assert (await store.save(portal, draft(), ADMIN, frozenset(seen))).number == 1
        return
    for change in (store.save(portal, draft(), ADMIN, frozenset(seen)),
                   store.reset(portal, ADMIN, frozenset(seen))):  # fmt: skip
        with pytest.raises(RevisionConflictError, match="none have been saved yet"):
            await change
    assert (await store.current(portal)).number == 0


async def test_a_change_to_settings_not_seen_is_refused_and_told_whose(
    store: SettingsStore, database: Database, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    other = Actor(name="other@example.com")
    current = await store.save(portal, draft(relay(port=465)), other, frozenset({1, 7}))
    before = await events(database, portal)
    for change in (store.save(portal, draft(), ADMIN, frozenset({1})),
                   store.reset(portal, ADMIN, frozenset({1}))):  # fmt: skip
        with pytest.raises(RevisionConflictError) as caught:
            await change
        assert caught.value.current == current
        assert str(caught.value) == (
            "Since revision 1: revision 2 saved by other@example.com (port, "
            "credentialsUserPassword). Read the settings again before you change them."
        )
    assert await store.current(portal) == current
    assert await events(database, portal) == before, (
        "a refused change is taken back with its event"
    )


@pytest.mark.parametrize("field", ["sender_address", "sender_display_name"])
async def test_the_password_stays_when_only_the_sender_changes(
    store: SettingsStore, portal: str, ring: KeyRing, field: str
) -> None:
    first = await store.save(portal, draft(), ADMIN)
    saved = await store.save(portal, draft(relay(**{field: "x@example.com"}), None), ADMIN)
    assert (saved.number, password_of(saved, ring)) == (2, CANARY)
    assert saved.sealed_password != first.sealed_password


@pytest.mark.parametrize("field", OTHERS)
async def test_the_password_does_not_stay_for_another_destination(
    store: SettingsStore, database: Database, portal: str, field: str
) -> None:
    first = await store.save(portal, draft(), ADMIN)
    await needs_password(store, portal, relay(**{field: OTHERS[field]}))
    assert await store.current(portal) == first
    assert len(await events(database, portal)) == 1


async def test_the_password_does_not_come_back_by_way_of_no_login(
    store: SettingsStore, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    without = await store.save(portal, draft(OPEN_RELAY, None), ADMIN)
    assert without.sealed_password is None
    await needs_password(store, portal, RELAY)


async def test_one_portals_password_is_not_anothers(
    store: SettingsStore, portal: str, neighbour: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    await needs_password(store, neighbour, RELAY)
    assert (await store.current(neighbour)).number == 0


@pytest.mark.parametrize("seed", range(5))
async def test_a_kept_password_never_follows_a_racing_change_of_destination(
    store: SettingsStore, database: Database, portal: str, ring: KeyRing, seed: int
) -> None:
    """Every revision's password is the one that was typed for its host."""
    choose = random.Random(seed)
    hosts = [f"relay{number}.example.com" for number in range(4)]

    async def save(number: int) -> None:
        host = choose.choice(hosts)
        typed = f"password of {host}" if choose.random() < 0.3 else None
        settings = relay(host=host, sender_display_name=f"{number}")
        try:
            await store.save(portal, draft(settings, typed), ADMIN)
        except InvalidSettingsError as error:
            assert typed is None, error.faults  # noqa: PT017

    await asyncio.gather(*(save(number) for number in range(300)))
    sql = "SELECT host, port, enable_ssl, user_name, sealed_password FROM smtp_settings_revisions"
    rows = await database.fetch(sql)
    assert len(rows) > 20
    for host, port, enable_ssl, user_name, sealed in rows:
        settings = relay(host=host, port=port, enable_ssl=bool(enable_ssl), user_name=user_name)
        opened = ring.open(sealed, settings.destination(portal))
        assert opened == Secret(f"password of {host}")


async def test_of_racing_saves_that_have_seen_the_same_one_alone_succeeds(
    store: SettingsStore, database: Database, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    results = await asyncio.gather(
        *(
            store.save(portal, draft(relay(port=port)), ADMIN, frozenset({1}))
            for port in range(1000, 1050)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(got, Revision) for got in results) == 1
    assert sum(isinstance(got, RevisionConflictError) for got in results) == 49
    assert await revisions(database, portal) == [1, 2]


async def plant(database: Database, portal: str, host: str, sealed: bytes) -> None:
    """Put a revision into the table behind the store's back."""
    sql = """
    INSERT INTO smtp_settings_revisions
        (portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
         sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, sealed_password)
    VALUES ($1, 50, 'save', 0, 'thief', $2, 587, 'notify@example.com', 'Postman', 'notify',
            1, 1, 0, $3)"""
    await database.transact(executing(sql, portal, host, sealed))


@pytest.mark.parametrize(
    ("theirs", "host"),
    [(True, RELAY.host), (False, "evil.example.org"), (True, "evil.example.org")],
    ids=["another portal", "another host", "another portal and host"],
)
async def test_a_blob_moved_by_sql_does_not_open_and_is_not_kept(
    store: SettingsStore,
    database: Database,
    portal: str,
    neighbour: str,
    ring: KeyRing,
    theirs: bool,
    host: str,
) -> None:
    sealed = (await store.save(portal, draft(), ADMIN)).sealed_password
    assert sealed is not None
    victim = neighbour if theirs else portal
    await plant(database, victim, host, sealed)
    moved = await store.current(victim)
    assert moved.number == 50
    with pytest.raises(SealBrokenError):
        password_of(moved, ring)
    await needs_password(store, victim, relay(host=host))
    healed = await store.save(victim, draft(relay(host=host)), ADMIN)
    assert (healed.number, password_of(healed, ring)) == (51, CANARY)


async def test_an_altered_blob_is_not_kept(
    store: SettingsStore, database: Database, portal: str, ring: KeyRing
) -> None:
    sealed = (await store.save(portal, draft(), ADMIN)).sealed_password
    assert sealed is not None
    await plant(database, portal, RELAY.host, sealed[:-1] + bytes([sealed[-1] ^ 1]))
    await needs_password(store, portal, RELAY)
    await needs_password(store, portal, relay(sender_display_name=None))


async def test_without_its_key_a_password_is_typed_again(
    store: SettingsStore, database: Database, portal: str, clock: FakeClock
) -> None:
    await store.save(portal, draft(), ADMIN)
    key = os.urandom(KEY_OCTETS)
    other = KeyRing({key_id(key): key}, key_id(key))
    elsewhere = SettingsStore(database, AuditLog(clock, Ids(clock)), clock, other)
    assert (await elsewhere.current(portal)).settings == RELAY, "reading needs no key"
    await needs_password(elsewhere, portal, RELAY)
    saved = await elsewhere.save(portal, draft(), ADMIN)
    assert (saved.number, password_of(saved, other)) == (2, CANARY)


async def test_the_keys_that_seal_are_written_down_once(
    store: SettingsStore, database: Database, ring: KeyRing, clock: FakeClock
) -> None:
    assert await keys_in_use(database) == frozenset()
    assert await store.note_active_key(ring.key_ids)
    clock.advance(60)
    assert await store.note_active_key(ring.key_ids)
    assert await keys_in_use(database) == {ring.active}
    assert await database.fetch("SELECT first_used_at FROM sealing_keys") == [(START,)]


async def test_of_two_rings_for_a_new_database_the_first_one_counts(
    store: SettingsStore, database: Database, ring: KeyRing, clock: FakeClock
) -> None:
    key, late = os.urandom(KEY_OCTETS), os.urandom(KEY_OCTETS)
    other = KeyRing({key_id(key): key}, key_id(key))
    elsewhere = SettingsStore(database, AuditLog(clock, Ids(clock)), clock, other)
    # Both have found a database without any.
    assert await store.note_active_key(ring.key_ids)
    assert not await elsewhere.note_active_key(other.key_ids)
    assert await keys_in_use(database) == {ring.active}
    rotated = KeyRing({key_id(late): late}, key_id(late))
    same = SettingsStore(database, AuditLog(clock, Ids(clock)), clock, rotated)
    assert await same.note_active_key(ring.key_ids | rotated.key_ids)
    assert await keys_in_use(database) == {ring.active, rotated.active}


async def test_an_audit_event_tells_who_did_what_from_where(
    store: SettingsStore, database: Database, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    sql = (
        "SELECT at, actor, address, request_id FROM audit_events "
        "WHERE portal_id = $1 AND action = 'settings.saved'"
    )
    row = (START, "admin@example.com", "192.0.2.7", "r-1")
    assert await database.fetch(sql, portal) == [row]


async def test_without_its_event_no_revision_is_written(
    store: SettingsStore, database: Database, portal: str
) -> None:
    await database.transact(executing("DROP TABLE audit_events"))
    with pytest.raises(Exception, match="audit_events"):
        await store.save(portal, draft(), ADMIN)
    assert await revisions(database, portal) == []


def spellings(text: str) -> list[bytes]:
    """How a password might stand in a file by mistake."""
    octets = text.encode()
    login = f"\0notify\0{text}".encode()
    return [
        octets,
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        octets.hex().encode(),
        octets.hex().upper().encode(),
        quote(text).encode(),
        quote_plus(text).encode(),
        json.dumps(text).strip('"').encode(),
        *(base64.b64encode(octets[start:])[2:-4] for start in range(3)),
        *(base64.urlsafe_b64encode(octets[start:])[2:-4] for start in range(3)),
        base64.b64encode(login)[:-4],
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def test_the_password_is_nowhere_in_the_files(
    store: SettingsStore, database: Database, portal: str, tmp_path: Path
) -> None:
    if database.dialect != "sqlite":
        pytest.skip("its files are the server's")
    for number in range(3):
        await store.save(portal, draft(relay(port=25 + number)), ADMIN)
        await store.save(portal, draft(relay(port=25 + number, host="x.org")), ADMIN)
    await needs_password(store, portal, RELAY)
    await store.reset(portal, ADMIN)
    files = contents(tmp_path)
    assert {"smarthost.db", "smarthost.db-wal"} <= set(files)
    assert any(b"mail.example.com" in content for content in files.values()), "it looks in vain"
    for name, content in files.items():
        for spelling in spellings(CANARY):
            assert spelling not in content, f"{spelling!r} in {name}"


async def test_an_earlier_revision_is_read_by_its_number(
    store: SettingsStore, portal: str, neighbour: str
) -> None:
    first = await store.save(portal, draft(), ADMIN)
    await store.reset(portal, ADMIN)
    assert await store.revision(portal, 1) == first
    assert (await store.revision(portal, 2)).settings is None
    for whose, number in ((portal, 3), (portal, 0), (neighbour, 1)):
        assert (await store.revision(whose, number)).number == 0


async def test_whoever_takes_part_in_a_save_does_so_in_its_transaction(
    database: Database, clock: FakeClock, ring: KeyRing, portal: str, neighbour: str
) -> None:
    told: list[str] = []

    async def note(tx: Transaction, whose: str) -> None:
        assert await tx.fetch("SELECT revision FROM smtp_settings_revisions") != []
        told.append(whose)
        if whose == neighbour:
            raise RuntimeError("no")

    audit = AuditLog(clock, Ids(clock))
    store = SettingsStore(database, audit, clock, ring, in_each_save=note)
    await store.reset(portal, ADMIN)
    assert told == [], "nothing was saved"
    await store.save(portal, draft(), ADMIN)
    await store.save(portal, draft(), ADMIN)
    assert told == [portal], "the second was equal to the first"
    await store.reset(portal, ADMIN)
    assert told == [portal] * 2
    with pytest.raises(RuntimeError):
        await store.save(neighbour, draft(), ADMIN)
    assert (await store.current(neighbour)).number == 0
