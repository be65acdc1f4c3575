import pytest

from smarthost.database.engine import Database
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import TokenState
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.binding.tokens.store import Fetched, TokenStore
from smarthost.smtp_settings.model import Revision
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, SealBrokenError, key_id
from smarthost.smtp_settings.store import SettingsStore, keys_in_use
from tests.clocks import FakeClock
from tests.engines import executing
from tests.smtp_settings.binding.bindings import CONSENTED, REFRESHED, typed
from tests.smtp_settings.conftest import ADMIN
from tests.smtp_settings.relays import checked, draft, relay

FIRST, SECOND, THIRD = (Secret(f"c4nary-refresh-{number}") for number in (1, 2, 3))


@pytest.fixture
async def bound(store: SettingsStore, bindings: BindingStore, portal: str) -> Revision:
    await store.save(portal, draft(), ADMIN)
    return await bindings.bind(portal, CONSENTED, ADMIN)


async def renamed(store: SettingsStore, revision: Revision) -> Revision:
    """Save another sender's name, and the login as it is."""
    assert revision.settings is not None
    wanted = relay(user_name=revision.settings.user_name, sender_display_name="Other")
    return await store.save(revision.portal_id, checked(wanted, revision.settings, None), ADMIN)


async def test_of_a_token_that_nobody_asked_for_nothing_is_known(
    tokens: TokenStore, bindings: BindingStore, bound: Revision
) -> None:
    assert await tokens.refresh_token(bound) is None
    assert (await bindings.status(bound.portal_id)).tokens is None


async def test_what_came_last_is_kept(
    tokens: TokenStore, bindings: BindingStore, bound: Revision
) -> None:
    portal = bound.portal_id
    await tokens.keep(portal, 2, Fetched(at=10, expires_at=99, refresh=FIRST))
    assert await tokens.refresh_token(bound) == FIRST
    await tokens.keep(portal, 2, Fetched(at=20, expires_at=199))
    assert await tokens.refresh_token(bound) == FIRST
    assert (await bindings.status(portal)).tokens == TokenState(
        fetched_at=20, expires_at=199, has_refresh_token=True
    )
    await tokens.keep(portal, 2, Fetched(at=30, error="refused", said="invalid_scope"))
    assert (await bindings.status(portal)).tokens == TokenState(
        fetched_at=30, error="refused", said="invalid_scope", has_refresh_token=True
    )
    assert await tokens.refresh_token(bound) == FIRST


async def test_a_late_write_puts_nothing_older_over_what_is_newer(
    tokens: TokenStore, bindings: BindingStore, bound: Revision
) -> None:
    portal = bound.portal_id
    await tokens.keep(portal, 2, Fetched(at=20, expires_at=120, refresh=SECOND))
    await tokens.keep(portal, 2, Fetched(at=10, expires_at=110, refresh=FIRST))
    await tokens.keep(portal, 2, Fetched(at=15, error="unavailable"))
    assert await tokens.refresh_token(bound) == SECOND
    state = (await bindings.status(portal)).tokens
    assert state is not None
    assert (state.fetched_at, state.error) == (20, None)


async def test_a_clock_that_was_set_back_loses_no_refresh_token(
    tokens: TokenStore, bindings: BindingStore, bound: Revision, clock: FakeClock
) -> None:
    portal = bound.portal_id
    for token in (FIRST, SECOND, THIRD):
        at = await tokens.moment(portal, 2)
        await tokens.keep(portal, 2, Fetched(at=at, expires_at=at + 1, refresh=token))
        assert await tokens.refresh_token(bound) == token
        clock.advance(-7200)


async def test_a_failure_that_was_asked_for_later_keeps_no_new_refresh_token_out(
    tokens: TokenStore, bindings: BindingStore, bound: Revision
) -> None:
    portal = bound.portal_id
    await tokens.keep(portal, 2, Fetched(at=10, expires_at=110, refresh=FIRST))
    await tokens.keep(portal, 2, Fetched(at=30, error="unavailable"))
    await tokens.keep(portal, 2, Fetched(at=20, expires_at=120, refresh=SECOND))
    assert await tokens.refresh_token(bound) == SECOND
    state = (await bindings.status(portal)).tokens
    assert state is not None
    assert (state.fetched_at, state.error) == (30, "unavailable")


async def test_a_later_revision_with_the_same_sign_in_has_the_same_refresh_token(
    store: SettingsStore, tokens: TokenStore, bound: Revision
) -> None:
    portal = bound.portal_id
    await tokens.keep(portal, 2, Fetched(at=10, expires_at=110, refresh=FIRST))
    third = await renamed(store, bound)
    assert await tokens.refresh_token(third) == FIRST
    # Asked for with revision 2, before 3 was saved.
    await tokens.keep(portal, 2, Fetched(at=20, expires_at=120, refresh=SECOND))
    assert await tokens.refresh_token(third) == SECOND
    await store.reset(portal, ADMIN)
    await tokens.keep(portal, 3, Fetched(at=30, expires_at=130, refresh=THIRD))
    assert await tokens.refresh_token(await store.restore(portal, 2, ADMIN)) == THIRD


async def test_another_consent_begins_with_nothing(
    bindings: BindingStore, tokens: TokenStore, bound: Revision
) -> None:
    portal = bound.portal_id
    await tokens.keep(portal, 2, Fetched(at=10, expires_at=110, refresh=FIRST))
    other = await bindings.bind(portal, typed(CONSENTED, client_id="app-4712"), ADMIN)
    assert await tokens.refresh_token(other) is None
    await tokens.keep(portal, 2, Fetched(at=20, refresh=SECOND))
    assert await tokens.refresh_token(other) is None
    typed_anew = await bindings.bind(portal, REFRESHED, ADMIN)
    assert await tokens.refresh_token(typed_anew) is None


@pytest.mark.parametrize(
    ("error", "left"),
    [("refused", None), ("unavailable", None), ("consent_needed", "consent_needed")],
)
async def test_what_was_set_up_anew_is_looked_at_again(
    bindings: BindingStore, tokens: TokenStore, bound: Revision, error: str, left: str | None
) -> None:
    portal = bound.portal_id
    await tokens.keep(portal, 2, Fetched(at=10, error=error, said="why"))
    await bindings.bind(portal, typed(CONSENTED, client_secret=Secret("new")), ADMIN)
    state = (await bindings.status(portal)).tokens
    assert state is not None
    assert state.error == left


async def test_of_revisions_without_oauth2_nothing_is_kept(
    tokens: TokenStore, database: Database, bound: Revision, neighbour: str
) -> None:
    for portal, number in ((bound.portal_id, 1), (bound.portal_id, 9), (neighbour, 2)):
        await tokens.keep(portal, number, Fetched(at=10, refresh=FIRST))
    assert await database.fetch("SELECT * FROM oauth2_tokens") == []


async def test_a_refresh_token_opens_for_its_own_place_alone(
    store: SettingsStore,
    bindings: BindingStore,
    tokens: TokenStore,
    database: Database,
    bound: Revision,
    neighbour: str,
) -> None:
    await store.save(neighbour, draft(), ADMIN)
    theirs = await bindings.bind(neighbour, CONSENTED, ADMIN)
    await tokens.keep(bound.portal_id, 2, Fetched(at=10, refresh=FIRST))
    await tokens.keep(neighbour, 2, Fetched(at=10, refresh=SECOND))
    swap = "UPDATE oauth2_tokens SET sealed_refresh_token = (SELECT sealed_refresh_token FROM "
    await database.transact(
        executing(f"{swap}oauth2_tokens WHERE portal_id = $1)", bound.portal_id)
    )
    assert await tokens.refresh_token(bound) == FIRST
    with pytest.raises(SealBrokenError):
        await tokens.refresh_token(theirs)
    password = "smtp_settings_revisions WHERE portal_id = $1 AND revision = 2)"
    await database.transact(
        executing(
            f"{swap.replace('sealed_refresh_token FROM', 'sealed_password FROM')}{password}",
            bound.portal_id,
        )
    )
    with pytest.raises(SealBrokenError):
        await tokens.refresh_token(bound)


async def test_the_key_that_sealed_it_is_written_down(
    database: Database, clock: FakeClock, bound: Revision
) -> None:
    new = b"n" * KEY_OCTETS
    tokens = TokenStore(database, clock, KeyRing({key_id(new): new}, key_id(new)))
    await tokens.keep(bound.portal_id, 2, Fetched(at=10, refresh=FIRST))
    assert key_id(new) in await keys_in_use(database)
