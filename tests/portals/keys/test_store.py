import asyncio

import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.portals.keys.model import ApiKey
from smarthost.portals.keys.store import KeyStore
from smarthost.portals.model import ConflictError, NotFoundError, Permission, Portal, Role, User
from smarthost.portals.store import PortalStore
from smarthost.portals.tokens import Token, TokenKind, new_token
from tests.clocks import START, FakeClock
from tests.portals.conftest import BY

ALL = frozenset({Permission.ALL})
DAY = 24 * 3600


async def make(keys: KeyStore, user: User, name: str = "key") -> tuple[ApiKey, Token]:
    return await keys.create(user, name, ALL, None, BY)


async def test_a_key_is_found_as_it_was_made(keys: KeyStore, portal: Portal, admin: User) -> None:
    held = frozenset({Permission.READ, Permission.SEND})
    made, token = await keys.create(admin, "My key ü", held, START + 5, BY)
    assert made == ApiKey(
        id=token.id,
        user=admin,
        name="My key ü",
        permissions=held,
        postfix=token.text().reveal()[-4:],
        created_at=START,
        expires_at=START + 5,
        last_used_at=None,
    )
    assert await keys.find(portal.id, token) == made


async def test_a_wrong_secret_an_unknown_id_and_another_portal_all_find_nothing(
    keys: KeyStore, portal: Portal, neighbour: Portal, admin: User
) -> None:
    _, token = await make(keys, admin)
    _, other = await make(keys, admin)
    wrong = Token(kind=token.kind, id=token.id, secret=other.secret)
    unknown = new_token(TokenKind.API_KEY, "019b76da-a800-7649-ac82-d937f2ad75a5")
    for stranger in (wrong, unknown):
        assert await keys.find(portal.id, stranger) is None
    assert await keys.find(neighbour.id, token) is None
    assert await keys.find("", token) is None


async def test_a_key_says_whose_it_is_where_nothing_else_does(
    keys: KeyStore, portal: Portal, admin: User
) -> None:
    key, token = await keys.create(admin, "ci", frozenset({Permission.SEND}), None, BY)
    assert await keys.find_anywhere(token) == await keys.find(portal.id, token)
    wrong = new_token(TokenKind.API_KEY, key.id)
    unknown = new_token(TokenKind.API_KEY, "019b76da-a800-7649-ac82-d937f2ad75a5")
    for stranger in (wrong, unknown):
        assert await keys.find_anywhere(stranger) is None


async def test_only_a_hash_of_the_secret_is_stored(
    keys: KeyStore, database: Database, admin: User
) -> None:
    _, token = await make(keys, admin)
    for table in ("api_keys", "audit_events"):
        rows = await database.fetch(f"SELECT * FROM {table}")
        assert rows
        assert token.secret.reveal() not in str(rows)
    assert await database.fetch("SELECT secret_hash FROM api_keys") == [(token.hash(),)]


async def test_a_key_ends_at_its_time(
    keys: KeyStore, portal: Portal, admin: User, clock: FakeClock
) -> None:
    _, token = await keys.create(admin, "key", ALL, START + DAY * MICROSECONDS, BY)
    clock.advance(DAY - 0.000_001)
    assert await keys.find(portal.id, token)
    clock.advance(0.000_001)
    assert await keys.find(portal.id, token) is None
    assert len(await keys.of_portal(portal.id)) == 1, "it is still listed"


async def test_a_key_without_an_end_goes_on(
    keys: KeyStore, portal: Portal, admin: User, clock: FakeClock
) -> None:
    _, token = await make(keys, admin)
    clock.advance(10_000 * DAY)
    assert await keys.find(portal.id, token)


async def test_a_key_has_its_users_role_of_now(
    keys: KeyStore, database: Database, portal: Portal, user: User
) -> None:
    _, token = await make(keys, user)
    await database.transact(lambda tx: tx.execute("UPDATE users SET role = 'administrator'"))
    found = await keys.find(portal.id, token)
    assert found is not None
    assert found.user.role is Role.ADMINISTRATOR


async def test_keys_are_listed_oldest_first_and_by_portal_and_user(
    keys: KeyStore,
    portals: PortalStore,
    portal: Portal,
    neighbour: Portal,
    admin: User,
    user: User,
    clock: FakeClock,
) -> None:
    stranger = await portals.create_user(neighbour.id, admin.email, Role.USER, None, BY)
    for owner, name in ((admin, "z"), (user, "y"), (admin, "a"), (stranger, "x")):
        clock.advance(0.000_001)
        await make(keys, owner, name)
    assert [key.name for key in await keys.of_portal(portal.id)] == ["z", "y", "a"]
    assert [key.name for key in await keys.of_user(admin)] == ["z", "a"]
    assert [key.name for key in await keys.of_portal(neighbour.id)] == ["x"]


async def test_a_revoked_key_is_nothing(
    keys: KeyStore, database: Database, portal: Portal, admin: User
) -> None:
    made, token = await make(keys, admin)
    _, kept = await make(keys, admin)
    await keys.revoke(portal.id, made.id, BY, owner=None)
    assert await keys.find(portal.id, token) is None
    assert await keys.find(portal.id, kept)
    with pytest.raises(NotFoundError, match=r"There is no such key\."):
        await keys.revoke(portal.id, made.id, BY, owner=None)
    told = "SELECT subject FROM audit_events WHERE action = 'key.revoked'"
    assert await database.fetch(told) == [(made.id,)]


async def test_another_portals_or_owners_key_is_as_unknown_as_none(
    keys: KeyStore, portal: Portal, neighbour: Portal, admin: User, user: User
) -> None:
    made, token = await make(keys, admin)
    told = set()
    for portal_id, key_id, owner in (
        (neighbour.id, made.id, None),
        (portal.id, made.id, user),
        (portal.id, "019b76da-a800-7649-ac82-d937f2ad75a5", None),
    ):
        with pytest.raises(NotFoundError) as caught:
            await keys.revoke(portal_id, key_id, BY, owner)
        told.add(str(caught.value))
    assert len(told) == 1
    assert await keys.find(portal.id, token)
    await keys.revoke(portal.id, made.id, BY, admin)


async def test_a_user_removed_meanwhile_gets_no_key(
    keys: KeyStore, portals: PortalStore, portal: Portal, user: User
) -> None:
    await portals.remove_user(user, BY)
    with pytest.raises(ConflictError, match=r"user@example\.com was removed meanwhile"):
        await make(keys, user)
    assert await keys.of_portal(portal.id) == []


async def test_the_time_of_the_last_use_never_goes_back(
    keys: KeyStore, portal: Portal, neighbour: Portal, admin: User
) -> None:
    made, token = await make(keys, admin)
    for at in (100, 300, 200):
        await keys.record_uses([((portal.id, made.id), at), ((neighbour.id, made.id), 900)])
    found = await keys.find(portal.id, token)
    assert found is not None
    assert found.last_used_at == 300


async def test_many_keys_are_made_at_once(keys: KeyStore, portal: Portal, admin: User) -> None:
    made = await asyncio.gather(*(make(keys, admin) for _ in range(50)))
    assert len({key.id for key, _ in made}) == 50
    assert len(await keys.of_portal(portal.id)) == 50
