import asyncio
import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.database.engine import Database
from smarthost.portals.keys.store import KeyStore
from smarthost.portals.model import ConflictError, NotFoundError, Permission, Portal, Role, User
from smarthost.portals.rules import refuse_second_portal
from smarthost.portals.sign_in.store import SignInStore
from smarthost.portals.store import PortalStore, email_key
from tests.clocks import START, FakeClock
from tests.portals.conftest import BY

KELVIN, DOTLESS, DOTTED, LONG_S = "\u212a", "\u0131", "\u0130", "\u017f"


async def audited(database: Database, portal: Portal) -> list[tuple[str, str]]:
    sql = "SELECT action, subject FROM audit_events WHERE portal_id = $1 ORDER BY at, id"
    return sorted(await database.fetch(sql, portal.id))


async def test_a_portal_is_found_by_its_name_alone(portals: PortalStore) -> None:
    made = await portals.create_portal("acme", BY)
    assert await portals.portal("acme") == made
    assert made.settings_allowed
    assert made.created_at == START
    for other in ("ACME", "acm", "acme ", "", made.id, "%"):
        assert await portals.portal(other) is None


async def test_a_portals_name_is_taken_once(portals: PortalStore, database: Database) -> None:
    first = await portals.create_portal("acme", BY)
    with pytest.raises(ConflictError, match="already a portal named acme"):
        await portals.create_portal("acme", BY)
    assert await portals.portal("acme") == first
    assert await database.fetch("SELECT count(*) FROM audit_events") == [(1,)]


async def test_portals_are_listed_by_name(portals: PortalStore) -> None:
    for name in ("b", "c", "a"):
        await portals.create_portal(name, BY)
    assert [portal.name for portal in await portals.portals()] == ["a", "b", "c"]
    assert [portal.name for portal in await portals.portals(at_most=1)] == ["a"]


async def test_of_portals_made_at_the_same_moment_one_gets_the_name(portals: PortalStore) -> None:
    results = await asyncio.gather(
        *(portals.create_portal("acme", BY) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(got, Portal) for got in results) == 1
    assert sum(isinstance(got, ConflictError) for got in results) == 19


async def test_of_portals_made_at_once_where_there_can_be_one_one_is(portals: PortalStore) -> None:
    admit = partial(refuse_second_portal, None)
    made = await asyncio.gather(
        *(portals.create_portal(f"portal-{number}", BY, admit) for number in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Portal) for one in made) == 1
    assert sum(isinstance(one, ConflictError) for one in made) == 19
    assert len(await portals.portals()) == 1


async def test_the_switch_is_one_portals_own(
    portals: PortalStore, database: Database, portal: Portal, neighbour: Portal
) -> None:
    await portals.allow_settings(portal, BY, allowed=False)
    denied = await portals.portal(portal.name)
    assert denied is not None
    assert not denied.settings_allowed
    assert await portals.portal(neighbour.name) == neighbour
    await portals.allow_settings(portal, BY, allowed=True)
    assert await portals.portal(portal.name) == portal
    assert await audited(database, portal) == [
        ("portal.created", "first"),
        ("portal.settings_allowed", "first"),
        ("portal.settings_denied", "first"),
    ]


async def test_senders_of_the_whole_domain_are_one_portals_own_switch(
    portals: PortalStore, database: Database, portal: Portal, neighbour: Portal
) -> None:
    assert not portal.domain_senders_allowed
    await portals.allow_domain_senders(portal, BY, allowed=True)
    allowed = await portals.portal(portal.name)
    assert allowed is not None
    assert (allowed.domain_senders_allowed, allowed.settings_allowed) == (True, True)
    assert await portals.portal(neighbour.name) == neighbour
    await portals.allow_domain_senders(portal, BY, allowed=False)
    assert await portals.portal(portal.name) == portal
    assert await audited(database, portal) == [
        ("portal.created", "first"),
        ("portal.domain_senders_allowed", "first"),
        ("portal.domain_senders_denied", "first"),
    ]


async def test_a_user_is_found_without_regard_to_ascii_case(
    portals: PortalStore, portal: Portal
) -> None:
    made = await portals.create_user(portal.id, "Jane.DOE@Example.COM", Role.USER, None, BY)
    assert made.email == "jane.doe@example.com"
    for spelling in ("jane.doe@example.com", "JANE.DOE@EXAMPLE.COM", "Jane.Doe@example.com"):
        assert await portals.user(portal.id, spelling) == made
    with pytest.raises(ConflictError, match=r"already has a user jane\.doe@example\.com"):
        await portals.create_user(portal.id, "JANE.doe@example.com", Role.USER, None, BY)


@pytest.mark.parametrize(
    ("known", "asked"),
    [
        ("mike@example.com", f"m{DOTLESS}ke@example.com"),
        ("mike@example.com", f"m{DOTTED}ke@example.com"),
        ("mike@example.com", f"mi{KELVIN}e@example.com"),
        (f"mi{KELVIN}e@example.com", "mike@example.com"),
        ("mike@xn--example.com", "mike@example.com"),
        ("jane.roses@example.com", f"jane.ro{LONG_S}es@example.com"),
        ("jürgen@example.com", "JÜRGEN@example.com"),
        ("strasse@example.com", "straße@example.com"),
        ("e\u0301@example.com", "\u00e9@example.com"),
        ("mike@example.com", "mike@example.com "),
        ("mike@example.com", "mike@example.co_"),
        ("mike@example.com", "%@example.com"),
    ],
)
async def test_an_address_that_only_looks_alike_is_another_user(
    portals: PortalStore, portal: Portal, known: str, asked: str
) -> None:
    made = await portals.create_user(portal.id, known, Role.USER, None, BY)
    assert await portals.user(portal.id, asked) is None
    other = await portals.create_user(portal.id, asked, Role.USER, None, BY)
    assert other.id != made.id
    assert await portals.user(portal.id, known) == made


@given(st.text())
def test_only_ascii_letters_are_folded(email: str) -> None:
    folded = email_key(email)
    assert len(folded) == len(email)
    assert email_key(folded) == folded
    for before, after in zip(email, folded, strict=True):
        assert after == (chr(ord(before) + 32) if "A" <= before <= "Z" else before)


async def test_one_portals_user_is_not_anothers(
    portals: PortalStore, portal: Portal, neighbour: Portal, admin: User
) -> None:
    assert await portals.user(neighbour.id, admin.email) is None
    assert await portals.users(neighbour.id) == []
    twin = await portals.create_user(neighbour.id, admin.email, Role.USER, None, BY)
    assert await portals.user(portal.id, admin.email) == admin
    assert await portals.user(neighbour.id, admin.email) == twin


async def test_users_are_listed_oldest_first(
    portals: PortalStore, portal: Portal, clock: FakeClock
) -> None:
    for name in ("z", "a", "m"):
        await portals.create_user(portal.id, f"{name}@example.com", Role.USER, None, BY)
        clock.advance(0.000_001)
    assert [user.email[0] for user in await portals.users(portal.id)] == ["z", "a", "m"]


async def test_the_first_administrator_is_the_oldest_of_the_portals_own(
    portals: PortalStore, portal: Portal, neighbour: Portal, user: User, clock: FakeClock
) -> None:
    assert await portals.first_administrator(portal.id) is None
    for home in (neighbour, portal, portal):
        clock.advance(1)
        email = f"{clock.now()}@example.com"
        await portals.create_user(home.id, email, Role.ADMINISTRATOR, None, BY)
    first = await portals.first_administrator(portal.id)
    assert first == (await portals.users(portal.id))[1]


async def test_the_last_administrator_stays(
    portals: PortalStore, database: Database, portal: Portal, admin: User, user: User
) -> None:
    with pytest.raises(ConflictError, match=r"admin@example\.com is the portal's last admin"):
        await portals.remove_user(admin, BY)
    assert await portals.users(portal.id) == [admin, user]
    assert ("user.removed", admin.email) not in await audited(database, portal)


async def test_another_portals_administrator_does_not_count(
    portals: PortalStore, neighbour: Portal, admin: User
) -> None:
    await portals.create_user(neighbour.id, "boss@example.com", Role.ADMINISTRATOR, None, BY)
    with pytest.raises(ConflictError):
        await portals.remove_user(admin, BY)


async def test_of_administrators_that_are_removed_at_once_one_stays(
    portals: PortalStore, portal: Portal, admin: User
) -> None:
    others = [
        await portals.create_user(portal.id, f"{number}@example.com", Role.ADMINISTRATOR, None, BY)
        for number in range(5)
    ]
    results = await asyncio.gather(
        *(portals.remove_user(one, BY) for one in (admin, *others)), return_exceptions=True
    )
    assert [type(got) for got in results if got is not None] == [ConflictError]
    assert len(await portals.users(portal.id)) == 1


async def test_a_user_who_is_gone_already_is_not_called_the_last(
    portals: PortalStore, portal: Portal, admin: User
) -> None:
    await portals.create_user(portal.id, "other@example.com", Role.ADMINISTRATOR, None, BY)
    await portals.remove_user(admin, BY)
    with pytest.raises(NotFoundError, match=r"has no user admin@example\.com any more"):
        await portals.remove_user(admin, BY)
    with pytest.raises(NotFoundError, match="any more"):
        await portals.set_password(admin, "$argon2", BY)


async def test_a_removed_users_keys_and_sessions_end(
    portals: PortalStore,
    keys: KeyStore,
    sign_ins: SignInStore,
    portal: Portal,
    user: User,
    admin: User,
) -> None:
    await portals.set_password(user, "$argon2", BY)
    stored = await portals.user(portal.id, user.email)
    assert stored is not None
    _, key = await keys.create(stored, "mine", frozenset({Permission.SEND}), None, BY)
    _, kept = await keys.create(admin, "theirs", frozenset({Permission.ALL}), None, BY)
    _, session = await sign_ins.create_session(stored, BY)
    assert await keys.find(portal.id, key)
    assert await sign_ins.find_session(portal.id, session)
    await portals.remove_user(stored, BY)
    assert await keys.find(portal.id, key) is None
    assert await sign_ins.find_session(portal.id, session) is None
    assert await keys.find(portal.id, kept)


async def test_a_new_password_ends_the_users_sessions_and_no_others(
    portals: PortalStore, keys: KeyStore, sign_ins: SignInStore, portal: Portal, admin: User
) -> None:
    other = await portals.create_user(
        portal.id, "other@example.com", Role.ADMINISTRATOR, "$argon2", BY
    )
    _, key = await keys.create(admin, "mine", frozenset({Permission.ALL}), None, BY)
    _, ended = await sign_ins.create_session(admin, BY)
    _, kept = await sign_ins.create_session(other, BY)
    await portals.set_password(admin, "$another", BY)
    assert await sign_ins.find_session(portal.id, ended) is None
    assert await sign_ins.find_session(portal.id, kept)
    assert await keys.find(portal.id, key), "a key is no session"
    stored = await portals.user(portal.id, admin.email)
    assert stored is not None
    assert stored.password_hash == "$another"


async def test_what_is_done_to_users_is_audited_without_their_hashes(
    portals: PortalStore, database: Database, portal: Portal, user: User
) -> None:
    await portals.set_password(user, "$argon2-canary", BY)
    await portals.remove_user(user, BY)
    assert await audited(database, portal) == [
        ("portal.created", "first"),
        ("user.created", "user@example.com"),
        ("user.password_set", "user@example.com"),
        ("user.removed", "user@example.com"),
    ]
    rows = await database.fetch("SELECT actor, details FROM audit_events")
    assert {actor for actor, _ in rows} == {"operator"}
    assert all("canary" not in details for _, details in rows)
    assert {"role": "user"} in [json.loads(details) for _, details in rows]
