import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.portals.keys.last_use import STEP, LastUse
from smarthost.portals.keys.model import ApiKey
from smarthost.portals.keys.store import KeyStore
from smarthost.portals.model import Permission, Portal, User
from smarthost.portals.tokens import Token
from tests.clocks import START
from tests.portals.conftest import BY


async def make(keys: KeyStore, user: User) -> tuple[ApiKey, Token]:
    return await keys.create(user, "key", frozenset({Permission.ALL}), None, BY)


async def found(keys: KeyStore, token: Token, portal: Portal) -> ApiKey:
    key = await keys.find(portal.id, token)
    assert key is not None
    return key


async def test_a_use_is_written_with_the_next_batch(
    keys: KeyStore, portal: Portal, admin: User
) -> None:
    last_use = LastUse(keys)
    key, token = await make(keys, admin)
    last_use.note(key, START + 1)
    last_use.note(key, START + 2)
    assert (await found(keys, token, portal)).last_used_at is None
    await last_use.flush()
    assert (await found(keys, token, portal)).last_used_at == START + 2
    await last_use.flush()


async def test_a_use_within_the_stored_minute_is_not_written_again(
    keys: KeyStore, portal: Portal, admin: User
) -> None:
    last_use = LastUse(keys)
    key, token = await make(keys, admin)
    last_use.note(key, START)
    await last_use.flush()
    key = await found(keys, token, portal)
    last_use.note(key, START + STEP - 1)
    last_use.note(key, START - 3600 * MICROSECONDS)
    await last_use.flush()
    assert (await found(keys, token, portal)).last_used_at == START
    last_use.note(key, START + STEP)
    await last_use.flush()
    assert (await found(keys, token, portal)).last_used_at == START + STEP


async def test_more_keys_than_one_batch_are_all_written(
    keys: KeyStore, database: Database, portal: Portal, admin: User
) -> None:
    last_use = LastUse(keys)
    for _ in range(450):
        key, _token = await make(keys, admin)
        last_use.note(key, START)
    await last_use.flush()
    assert await database.fetch("SELECT count(last_used_at) FROM api_keys") == [(450,)]


async def test_a_store_that_fails_is_told_of_and_later_uses_are_written(
    keys: KeyStore, database: Database, admin: User
) -> None:
    last_use = LastUse(keys)
    key, _ = await make(keys, admin)
    await database.close()
    last_use.note(key, START)
    with pytest.raises(StoreUnavailableError):
        await last_use.flush()
    await last_use.flush()
