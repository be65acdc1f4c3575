"""The history by the page, and what a refused change is told of it."""

import apsw
import pytest

from smarthost.audit.model import Actor
from smarthost.database.engine import Database
from smarthost.database.migrate import migrations
from smarthost.database.parameters import numbered
from smarthost.smtp_settings.history import store as history_store
from smarthost.smtp_settings.model import (
    Revision,
    RevisionAction,
    RevisionConflictError,
    SmtpSettings,
)
from smarthost.smtp_settings.store import SettingsStore
from tests.clocks import FakeClock
from tests.engines import executing
from tests.smtp_settings.conftest import ADMIN
from tests.smtp_settings.relays import OPEN_RELAY, RELAY, draft, relay

OTHER = Actor(name="other@example.com")
EVERY = tuple(name for name in SmtpSettings.__struct_fields__ if name != "oauth2")
PLANT = """
INSERT INTO smtp_settings_revisions
    (portal_id, revision, action, saved_at, saved_by, host, port, sender_address, enable_ssl,
     enable_auth, use_ntlm)
VALUES ($1, $2, 'save', 0, 'long ago', 'mail.example.com', $3, 'notify@example.com', 0, 0, 0)"""
PLANT_RESET = """
INSERT INTO smtp_settings_revisions (portal_id, revision, action, saved_at, saved_by)
VALUES ($1, $2, 'reset', 0, 'long ago')"""
MANY = """
WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers LIMIT $1)
INSERT INTO smtp_settings_revisions
    (portal_id, revision, action, saved_at, saved_by, host, port, sender_address, enable_ssl,
     enable_auth, use_ntlm, changed)
SELECT 'p', number, 'save', 0, 'somebody', 'mail.example.com', 1 + number % 9,
       'notify@example.com', 0, 0, 0, '["port"]'
FROM numbers"""


async def refused(store: SettingsStore, portal: str, *seen: int) -> RevisionConflictError:
    with pytest.raises(RevisionConflictError) as caught:
        await store.save(portal, draft(relay(port=2525)), ADMIN, frozenset(seen))
    return caught.value


async def test_a_portal_that_saved_nothing_has_no_history(
    store: SettingsStore, portal: str
) -> None:
    assert await store.history(portal, limit=10) == []


async def test_each_revision_is_told_newest_first_with_what_it_changed(
    store: SettingsStore, portal: str, neighbour: str, clock: FakeClock
) -> None:
    await store.save(neighbour, draft(relay(port=1)), OTHER)
    written: list[Revision] = []
    for settings, password in (
        (RELAY, "a"),
        (relay(port=465), "a"),
        (relay(port=465), "b"),
        (relay(port=465, sender_display_name=None), None),
        (OPEN_RELAY, None),
    ):
        clock.advance(1)
        written.append(await store.save(portal, draft(settings, password), ADMIN))
    written.append(await store.reset(portal, OTHER))
    written.append(await store.restore(portal, 1, ADMIN))
    told = await store.history(portal, limit=10)
    assert [past.revision for past in told] == written[::-1]
    assert [past.changed for past in told] == [
        (*EVERY, "password"),
        tuple(name for name in EVERY if name != "user_name"),
        ("port", "sender_display_name", "user_name", "enable_auth"),
        ("sender_display_name",),
        ("password",),
        ("port", "password"),
        (*EVERY, "password"),
    ]


async def test_pages_hold_each_revision_once(store: SettingsStore, portal: str) -> None:
    for number in range(1, 131):
        await store.save(portal, draft(relay(port=number)), ADMIN)
    found: list[int] = []
    for at_most in (100, 20, 9, 1, 5):
        before = found[-1] if found else None
        page = await store.history(portal, before=before, limit=at_most)
        assert len(page) == min(at_most, 130 - len(found))
        found += [past.revision.number for past in page]
    assert found == list(range(130, 0, -1))
    assert await store.history(portal, before=1, limit=100) == []
    beyond = await store.history(portal, before=10**15, limit=1)
    assert [past.revision.number for past in beyond] == [130]


async def test_of_revisions_from_before_it_was_kept_the_change_is_found_by_comparing(
    store: SettingsStore, database: Database, portal: str
) -> None:
    await database.transact(executing(PLANT, portal, 1, 25))
    await database.transact(executing(PLANT, portal, 2, 587))
    await database.transact(executing(PLANT_RESET, portal, 3))
    await store.save(portal, draft(), ADMIN)
    first = ("host", "port", "sender_address", "enable_ssl", "enable_auth", "use_ntlm")
    expected = [(*EVERY, "password"), first, ("port",), first]
    for at_most in (1, 2, 3, 4, 9):
        told = await store.history(portal, limit=at_most)
        assert [past.changed for past in told] == expected[:at_most]
    (second,) = await store.history(portal, before=3, limit=1)
    assert second.changed == ("port",)


def steps_of_a_page(revisions: int, before: int) -> int:
    """Return how many steps SQLite's machine makes for 100 of so many revisions."""
    connection = apsw.Connection(":memory:")
    for migration in migrations("sqlite"):
        connection.execute(migration.script)
    connection.execute(
        "INSERT INTO portals (id, name, created_at, settings_allowed) VALUES ('p', 'p', 1, 1)"
    )
    connection.execute(MANY.replace("$1", "?1"), (revisions,))
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return False

    connection.set_progress_handler(step, 1)
    found = connection.execute(numbered(history_store._PAGE), ("p", before, 101)).fetchall()
    connection.set_progress_handler(None)
    assert len(found) == 101
    connection.close()
    return steps


def test_a_page_of_10000_revisions_costs_what_one_of_few_does() -> None:
    few = steps_of_a_page(110, 1 << 60)
    assert few > 101, "it counts"
    for before in (1 << 60, 5_000, 110):
        assert steps_of_a_page(10_000, before) == few


async def test_a_refused_change_is_told_of_each_revision_since_the_one_that_was_seen(
    store: SettingsStore, portal: str
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.save(portal, draft(relay(host="b.example.com", use_ntlm=True)), OTHER)
    await store.reset(portal, ADMIN)
    current = await store.restore(portal, 1, OTHER)
    error = await refused(store, portal, 1, 9)
    assert str(error) == (
        "Since revision 1: revision 2 saved by other@example.com (host, useNtlm, "
        "credentialsUserPassword); revision 3 reset by admin@example.com; revision 4 restored by "
        "other@example.com (host, port, senderAddress, senderDisplayName, credentialsUserName, "
        "enableSSL, enableAuth, useNtlm, credentialsUserPassword). "
        "Read the settings again before you change them."
    )
    assert (error.current, error.seen) == (current, 1)
    assert [past.revision.number for past in error.since] == [2, 3, 4]
    assert str(await refused(store, portal, 2, 3)).startswith("Since revision 3: revision 4 rest")
    assert "Since revision 0: revision 1 saved by admin" in str(await refused(store, portal, 0))


@pytest.mark.parametrize(
    ("seen", "beginning"),
    [
        (2, "Since revision 2: revision 3 saved by"),
        (1, "Since revision 1: 1 more change; revision 3 saved by"),
        (0, "Since revision 0: 2 more changes; revision 3 saved by"),
    ],
)
async def test_it_is_told_of_the_last_five_and_how_many_more_there_are(
    store: SettingsStore, portal: str, seen: int, beginning: str
) -> None:
    for number in range(1, 8):
        await store.save(portal, draft(relay(port=number), "a"), ADMIN)
    error = await refused(store, portal, seen)
    assert str(error).startswith(beginning)
    assert [past.revision.number for past in error.since] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("seen", [(), (7,), (-3,)])
async def test_who_names_no_earlier_revision_is_told_which_one_is_in_force(
    store: SettingsStore, portal: str, seen: tuple[int, ...]
) -> None:
    await store.save(portal, draft(), ADMIN)
    await store.reset(portal, OTHER)
    error = await refused(store, portal, *seen)
    assert str(error) == (
        "These are not the settings in force, which are revision 2, reset by other@example.com. "
        "Read the settings again before you change them."
    )
    assert (error.seen, error.since) == (None, ())


async def test_whether_a_change_may_be_made_is_told_before_it(
    store: SettingsStore, portal: str
) -> None:
    first = await store.save(portal, draft(), ADMIN)
    assert await store.matching(portal, None) == first
    assert await store.matching(portal, frozenset({1})) == first
    with pytest.raises(RevisionConflictError, match="which are revision 1"):
        await store.matching(portal, frozenset({2}))
    await store.reset(portal, OTHER)
    with pytest.raises(RevisionConflictError, match="Since revision 1: revision 2 reset by other"):
        await store.matching(portal, frozenset({1}))


async def test_an_old_revision_of_a_password_alone_is_told_without_fields(
    store: SettingsStore, database: Database, portal: str
) -> None:
    await store.save(portal, draft(OPEN_RELAY, None), ADMIN)
    (past,) = await store.history(portal, limit=1)
    assert past.revision.action is RevisionAction.SAVE
    await database.transact(executing(PLANT, portal, 2, 25))
    await database.transact(executing(PLANT, portal, 3, 25))
    assert "; revision 3 saved by long ago. Read" in str(await refused(store, portal, 1))
