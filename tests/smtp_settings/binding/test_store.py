import json
from typing import Any

import msgspec
import pytest

from smarthost.audit.model import Actor
from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import Binding, NoOwnSettingsError
from smarthost.smtp_settings.binding.sealing import binding_in, opened
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.binding.tokens.store import Fetched, TokenStore
from smarthost.smtp_settings.model import (
    InvalidSettingsError,
    Revision,
    RevisionAction,
    RevisionConflictError,
    SmtpSettings,
)
from smarthost.smtp_settings.oauth2 import Grant
from smarthost.smtp_settings.rules import NOTHING_STORED
from smarthost.smtp_settings.sealing import KeyRing, SealBrokenError
from smarthost.smtp_settings.store import NO_LONGER_OPENS, SettingsStore
from tests.clocks import FakeClock
from tests.engines import columns, executing, unlock_revisions
from tests.smtp_settings.binding.bindings import (
    ACCOUNT,
    APPLICATION,
    CLIENT_SECRET,
    CONSENTED,
    EMAIL,
    REFRESH_TOKEN,
    REFRESHED,
    Known,
    account_file,
    typed,
)
from tests.smtp_settings.conftest import ADMIN
from tests.smtp_settings.relays import CANARY, OPEN_RELAY, RELAY, checked, draft, relay

OTHER = Actor(name="other@example.com")
EVENTS = """
SELECT action, subject, details FROM audit_events
WHERE portal_id = $1 AND action LIKE 'settings.%' ORDER BY number"""


def bound_in(revision: Revision, ring: KeyRing) -> Binding:
    assert revision.settings is not None
    assert revision.sealed_password is not None
    sealed = revision.sealed_password
    return binding_in(opened(ring, sealed, revision.settings, revision.portal_id))


async def events(database: Database, portal: str) -> list[tuple[str, str, list[str]]]:
    rows = await database.fetch(EVENTS, portal)
    return [(action, subject, json.loads(details)["changed"]) for action, subject, details in rows]


def kept(settings: SmtpSettings, **changes: Any) -> SmtpSettings:
    """Settings as somebody types them who reads the ones in force first."""
    return msgspec.structs.replace(settings, oauth2=None, **changes)


async def test_a_token_takes_the_place_of_the_password(
    store: SettingsStore,
    bindings: BindingStore,
    database: Database,
    ring: KeyRing,
    portal: str,
) -> None:
    await store.save(portal, draft(), ADMIN)
    bound = await bindings.bind(portal, APPLICATION, ADMIN)
    assert bound == await store.current(portal)
    assert (bound.number, bound.action, bound.oauth2_revision) == (2, RevisionAction.SAVE, 2)
    assert bound.settings is not None
    assert kept(bound.settings) == relay(user_name="notify@example.com")
    sealed = bound_in(bound, ring)
    assert sealed.oauth2 == bound.settings.oauth2
    assert sealed.secrets.client_secret == Secret(CLIENT_SECRET)
    assert (await events(database, portal))[1:] == [
        ("settings.oauth2_bound", "2", ["user_name", "oauth2"])
    ]
    (newest, _) = await store.history(portal, limit=5)
    assert newest.changed == ("user_name", "oauth2")


async def test_a_relay_without_a_login_gets_one(
    store: SettingsStore, bindings: BindingStore, portal: str
) -> None:
    await store.save(portal, draft(OPEN_RELAY, None), ADMIN)
    settings = (await bindings.bind(portal, APPLICATION, ADMIN)).settings
    assert settings is not None
    assert (settings.enable_auth, settings.user_name) == (True, "notify@example.com")


async def test_without_settings_of_its_own_a_portal_has_nothing_to_bind(
    store: SettingsStore, bindings: BindingStore, portal: str
) -> None:
    with pytest.raises(NoOwnSettingsError):
        await bindings.bind(portal, APPLICATION, ADMIN)
    await store.save(portal, draft(), ADMIN)
    await store.reset(portal, ADMIN)
    with pytest.raises(NoOwnSettingsError):
        await bindings.bind(portal, APPLICATION, ADMIN)
    with pytest.raises(RevisionConflictError):
        await bindings.bind(portal, APPLICATION, ADMIN, frozenset({1}))


async def test_only_the_revision_that_was_seen_is_bound_and_ended(
    store: SettingsStore, bindings: BindingStore, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    for if_match in (frozenset[int](), frozenset({0, 2})):
        with pytest.raises(RevisionConflictError):
            await bindings.bind(portal, APPLICATION, ADMIN, if_match)
        with pytest.raises(RevisionConflictError):
            await bindings.end(portal, ADMIN, if_match)
    assert (await bindings.bind(portal, APPLICATION, ADMIN, frozenset({1}))).number == 2
    assert (await bindings.end(portal, ADMIN, frozenset({2}))).number == 3


async def test_all_that_is_wrong_is_told_the_key_and_the_relay_too(
    store: SettingsStore, bindings: BindingStore, portal: str
) -> None:
    await store.save(portal, draft(relay(enable_ssl=False, use_ntlm=True)), ADMIN)
    wrong = typed(ACCOUNT, service_account=Secret("{}"), token_url="http://a.test", user_name="")
    with pytest.raises(InvalidSettingsError) as caught:
        await bindings.bind(portal, wrong, ADMIN)
    assert set(caught.value.faults) == {
        "enable_ssl",
        "use_ntlm",
        "service_account",
        "token_url",
        "user_name",
        "client_id",
    }
    assert len(caught.value.faults["service_account"]) == 1
    assert (await store.current(portal)).number == 1


async def test_what_could_not_be_read_writes_nothing(
    store: SettingsStore, bindings: BindingStore, portal: str
) -> None:
    for _ in range(2):
        with pytest.raises(InvalidSettingsError) as caught:
            await bindings.bind(portal, APPLICATION, ADMIN, unread=frozenset({"subject"}))
        assert caught.value.faults == {}
        await store.save(portal, draft(), ADMIN)
    assert (await store.current(portal)).number == 1


async def test_an_equal_binding_makes_an_audit_event_and_no_revision(
    store: SettingsStore, bindings: BindingStore, database: Database, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    first = await bindings.bind(portal, APPLICATION, ADMIN)
    assert await bindings.bind(portal, APPLICATION, ADMIN) == first
    assert await bindings.bind(portal, typed(client_secret=None), ADMIN) == first
    assert (await events(database, portal))[2:] == [("settings.oauth2_bound", "2", [])] * 2
    other = await bindings.bind(portal, typed(client_secret=Secret("another")), ADMIN)
    assert (other.number, other.settings) == (3, first.settings)
    assert (await events(database, portal))[4:] == [("settings.oauth2_bound", "3", ["oauth2"])]


@pytest.mark.parametrize(
    "changes",
    [
        {"user_name": "other@example.com"},
        {"client_id": "app-4712"},
        {"token_url": "https://evil.example.org/token"},
    ],
)
async def test_a_stored_secret_goes_nowhere_else(
    store: SettingsStore, bindings: BindingStore, portal: str, changes: dict[str, str]
) -> None:
    await store.save(portal, draft(), ADMIN)
    bound = await bindings.bind(portal, APPLICATION, ADMIN)
    with pytest.raises(InvalidSettingsError) as caught:
        await bindings.bind(portal, typed(client_secret=None, **changes), ADMIN)
    assert set(caught.value.faults) == {"client_secret"}
    assert await store.current(portal) == bound


async def test_a_service_account_is_stored_as_its_key(
    store: SettingsStore, bindings: BindingStore, ring: KeyRing, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    account = typed(ACCOUNT, service_account=account_file(), subject="boss@example.com")
    sealed = bound_in(await bindings.bind(portal, account, ADMIN), ring)
    assert (sealed.oauth2.client_id, sealed.oauth2.subject) == (EMAIL, "boss@example.com")
    assert sealed.secrets.private_key is not None
    assert sealed.secrets.private_key.reveal().startswith("-----BEGIN PRIVATE KEY-----")
    again = typed(account, service_account=None, client_id=EMAIL, scope="another")
    assert bound_in(await bindings.bind(portal, again, ADMIN), ring).secrets == sealed.secrets


# A save of the contract's, while OAuth2 is in force.


async def test_a_save_without_a_password_leaves_oauth2_as_it_is(
    store: SettingsStore, bindings: BindingStore, ring: KeyRing, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    bound = await bindings.bind(portal, APPLICATION, ADMIN)
    assert bound.settings is not None
    same = checked(kept(bound.settings), bound.settings, None)
    assert same.settings == bound.settings
    change = await store.put(portal, same, ADMIN)
    assert (change.after, change.ends_oauth2) == (bound, False)
    wanted = kept(bound.settings, sender_display_name="Other")
    change = await store.put(portal, checked(wanted, bound.settings, None), ADMIN)
    assert (change.after.number, change.ends_oauth2) == (3, False)
    assert bound_in(change.after, ring) == bound_in(bound, ring)
    assert change.after.oauth2_revision == 2


ENDING: list[tuple[dict[str, Any], str | None]] = [
    ({}, "a password"),
    ({"enable_auth": False, "user_name": None}, None),
    ({"host": "mail.example.net"}, "a password"),
    ({"use_ntlm": True}, "a password"),
]


@pytest.mark.parametrize(("changes", "password"), ENDING)
async def test_any_other_save_ends_it_and_says_so(
    store: SettingsStore,
    bindings: BindingStore,
    database: Database,
    portal: str,
    changes: dict[str, Any],
    password: str | None,
) -> None:
    await store.save(portal, draft(), ADMIN)
    bound = await bindings.bind(portal, APPLICATION, ADMIN)
    assert bound.settings is not None
    wanted = kept(bound.settings, **changes)
    change = await store.put(portal, checked(wanted, bound.settings, password), OTHER)
    assert change.ends_oauth2
    assert change.after.settings == wanted
    assert change.after.oauth2_revision is None
    saved, ended = (await events(database, portal))[2:]
    assert (saved[0], ended[0]) == ("settings.saved", "settings.oauth2_ended")
    assert "oauth2" in saved[2]
    status = await bindings.status(portal)
    assert (status.in_force, status.ended) == (change.after, change.after)
    assert not (await store.put(portal, draft(wanted, password), OTHER)).ends_oauth2


@pytest.mark.parametrize("changes", [c for c, password in ENDING if password and c])
async def test_for_another_destination_a_password_is_needed(
    store: SettingsStore, bindings: BindingStore, portal: str, changes: dict[str, Any]
) -> None:
    await store.save(portal, draft(), ADMIN)
    bound = await bindings.bind(portal, APPLICATION, ADMIN)
    assert bound.settings is not None
    with pytest.raises(InvalidSettingsError) as caught:
        checked(kept(bound.settings, **changes), bound.settings, None)
    assert caught.value.faults == {"password": [NOTHING_STORED]}
    with pytest.raises(InvalidSettingsError):
        await store.save(portal, draft(kept(bound.settings, **changes), None), ADMIN)


async def test_a_save_that_was_checked_before_oauth2_ended_is_refused(
    store: SettingsStore, bindings: BindingStore, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    bound = await bindings.bind(portal, APPLICATION, ADMIN)
    assert bound.settings is not None
    late = checked(kept(bound.settings, sender_display_name="Late"), bound.settings, None)
    await bindings.end(portal, OTHER)
    with pytest.raises(InvalidSettingsError):
        await store.save(portal, late, ADMIN)


async def test_it_is_ended_by_itself_and_the_relay_stays(
    store: SettingsStore, bindings: BindingStore, database: Database, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    assert (await bindings.end(portal, ADMIN)).settings == RELAY, "a password is left alone"
    await bindings.bind(portal, APPLICATION, ADMIN)
    ended = await bindings.end(portal, OTHER)
    assert (ended.settings, ended.sealed_password) == (OPEN_RELAY, None)
    assert (await events(database, portal))[2:] == [
        ("settings.oauth2_ended", "3", ["user_name", "enable_auth", "oauth2"])
    ]
    await store.save(portal, draft(), ADMIN)
    status = await bindings.status(portal)
    assert status.ended == ended, "it is told for as long as nothing takes its place"
    assert status.ended is not None
    assert status.ended.saved_by == "other@example.com"


async def test_a_reset_ends_it_and_a_restore_brings_it_back(
    store: SettingsStore, bindings: BindingStore, database: Database, ring: KeyRing, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    bound = await bindings.bind(portal, REFRESHED, ADMIN)
    await store.reset(portal, ADMIN)
    restored = await store.restore(portal, 2, ADMIN)
    assert restored.settings == bound.settings
    assert restored.oauth2_revision == 2
    assert bound_in(restored, ring) == bound_in(bound, ring)
    assert [action for action, _, _ in (await events(database, portal))[2:]] == [
        "settings.reset",
        "settings.oauth2_ended",
        "settings.restored",
        "settings.oauth2_bound",
    ]
    back = await store.restore(portal, 1, ADMIN)
    assert (back.settings, back.oauth2_revision) == (RELAY, None)


async def test_of_a_portal_that_never_had_it_there_is_nothing_to_tell(
    store: SettingsStore, bindings: BindingStore, portal: str, neighbour: str
) -> None:
    await store.save(neighbour, draft(), ADMIN)
    await bindings.bind(neighbour, APPLICATION, ADMIN)
    await bindings.end(neighbour, ADMIN)
    assert (await bindings.status(portal)).ended is None
    await store.save(portal, draft(), ADMIN)
    status = await bindings.status(portal)
    assert (status.in_force.number, status.tokens, status.ended) == (1, None, None)


async def test_mail_that_waits_goes_on_once_it_is_bound_or_ended(
    store: SettingsStore, database: Database, clock: FakeClock, ring: KeyRing, portal: str
) -> None:
    told: list[str] = []

    async def note(_tx: Transaction, portal_id: str) -> None:
        told.append(portal_id)

    audit = AuditLog(clock, Ids(clock))
    bindings = BindingStore(database, audit, clock, ring, Known(), in_each_save=note)
    await store.save(portal, draft(), ADMIN)
    await bindings.bind(portal, APPLICATION, ADMIN)
    await bindings.end(portal, ADMIN)
    await bindings.end(portal, ADMIN)
    assert told == [portal] * 2


# Raw SQL.


@pytest.mark.parametrize(
    "sql",
    [
        "oauth2 = replace(oauth2, 'login.example.net', 'evil.example.org')",
        "oauth2 = replace(oauth2, 'app-4711', 'app-4712')",
        "oauth2 = replace(oauth2, 'smtp.send', 'everything')",
        "oauth2 = '{}'",
        "oauth2 = 'no JSON'",
        "oauth2 = NULL, oauth2_revision = NULL",
        "host = 'evil.example.org'",
        "user_name = 'other@example.com'",
        "sealed_password = substr(sealed_password, 1, 60)",
        "sealed_password = (SELECT sealed_password FROM smtp_settings_revisions LIMIT 1)",
    ],
)
async def test_what_was_altered_opens_no_more(
    store: SettingsStore,
    bindings: BindingStore,
    database: Database,
    ring: KeyRing,
    portal: str,
    sql: str,
) -> None:
    await store.save(portal, draft(), ADMIN)
    await bindings.bind(portal, APPLICATION, ADMIN)
    await unlock_revisions(database)
    change = f"UPDATE smtp_settings_revisions SET {sql} WHERE revision = 2"
    await database.transact(executing(change))
    altered = await store.current(portal)
    with pytest.raises(SealBrokenError):
        bound_in(altered, ring)
    assert altered.settings is not None
    with pytest.raises(InvalidSettingsError):
        await store.save(
            portal, draft(kept(altered.settings, sender_display_name="x"), None), ADMIN
        )
    await store.reset(portal, ADMIN)
    with pytest.raises(InvalidSettingsError) as caught:
        await store.restore(portal, 2, ADMIN)
    assert caught.value.faults == {"password": [NO_LONGER_OPENS]}


async def test_a_binding_whose_seal_is_broken_gives_no_secret_to_the_next(
    store: SettingsStore, bindings: BindingStore, database: Database, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    await bindings.bind(portal, APPLICATION, ADMIN)
    broken = "UPDATE smtp_settings_revisions SET sealed_password = substr(sealed_password, 1, 60)"
    await database.transact(executing(broken))
    with pytest.raises(InvalidSettingsError) as caught:
        await bindings.bind(portal, typed(client_secret=None), ADMIN)
    assert set(caught.value.faults) == {"client_secret"}
    assert (await bindings.bind(portal, APPLICATION, ADMIN)).number == 3


async def test_a_neighbours_binding_opens_for_nobody_else(
    store: SettingsStore,
    bindings: BindingStore,
    database: Database,
    ring: KeyRing,
    portal: str,
    neighbour: str,
) -> None:
    for one in (portal, neighbour):
        await store.save(one, draft(), ADMIN)
        await bindings.bind(one, APPLICATION, ADMIN)
    theirs = (await store.current(neighbour)).sealed_password
    swap = "UPDATE smtp_settings_revisions SET sealed_password = $1 WHERE portal_id = $2"
    await database.transact(executing(swap, theirs, portal))
    with pytest.raises(SealBrokenError):
        bound_in(await store.current(portal), ring)


async def test_no_secret_stands_in_the_database_outside_its_seal(
    store: SettingsStore,
    bindings: BindingStore,
    tokens: TokenStore,
    database: Database,
    portal: str,
) -> None:
    await store.save(portal, draft(), ADMIN)
    await bindings.bind(portal, REFRESHED, ADMIN)
    news = Fetched(at=1, expires_at=2, refresh=Secret("c4nary-refresh-1"))
    await tokens.keep(portal, 2, news)
    await bindings.bind(portal, typed(ACCOUNT, service_account=account_file()), ADMIN)
    found = b""
    for table in {table for table, _ in await columns(database)}:
        for row in await database.fetch(f"SELECT * FROM {table}"):
            found += repr(row).encode()
    assert b"settings.oauth2_bound" in found
    for secret in (CANARY, CLIENT_SECRET, REFRESH_TOKEN, "c4nary-refresh-1", "PRIVATE KEY"):
        assert secret.encode() not in found


# Where its tokens are kept.


@pytest.mark.parametrize(
    ("first", "second", "place"),
    [
        (CONSENTED, typed(CONSENTED, client_secret=Secret("new")), 2),
        (CONSENTED, typed(CONSENTED, scope="other"), 2),
        (CONSENTED, typed(CONSENTED, client_id="app-4712"), 3),
        (CONSENTED, typed(CONSENTED, user_name="other@example.com"), 3),
        (CONSENTED, REFRESHED, 3),
        (REFRESHED, typed(REFRESHED, scope="other"), 2),
        (REFRESHED, typed(REFRESHED, refresh_token=None, scope="other"), 2),
        (REFRESHED, typed(REFRESHED, refresh_token=Secret("c4nary-refresh-9")), 3),
        (APPLICATION, typed(scope="other"), 3),
    ],
)
async def test_a_consent_goes_on_where_it_is_still_the_same(
    store: SettingsStore,
    bindings: BindingStore,
    portal: str,
    first: Any,
    second: Any,
    place: int,
) -> None:
    await store.save(portal, draft(), ADMIN)
    await bindings.bind(portal, first, ADMIN)
    bound = await bindings.bind(portal, second, ADMIN)
    assert (bound.number, bound.oauth2_revision) == (3, place)
    assert bound.settings is not None
    assert bound.settings.oauth2 is not None
    assert bound.settings.oauth2.grant is Grant(second.grant)
