"""The relay in force: whose it is, with which password, and that a broken seal stops it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from smarthost.app.oauth2 import ProvidersEndPoints, TokenBook
from smarthost.app.parts import Parts, open_parts
from smarthost.app.relays import Relays
from smarthost.app.token_turns import TokenTurns
from smarthost.audit.model import Actor
from smarthost.config import Config, load_config
from smarthost.delivery.bearer_token import NoToken, NoTokenError
from smarthost.delivery.outcome import Code
from smarthost.delivery.tokens import TokenNews
from smarthost.mail_queue.model import BrokenOffError
from smarthost.portals.model import Portal
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.tokens.store import Fetched
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from tests.engines import executing
from tests.smtp_settings.binding.bindings import (
    CLIENT_SECRET,
    REFRESH_TOKEN,
    REFRESHED,
    TOKEN_URL,
)
from tests.smtp_settings.relays import CANARY, OPEN_RELAY, draft

BY = Actor(name="operator")
DEFAULT = "smtps://u:p%40ss@mail.example.net?sender=n@example.net&ca=ca.pem"


@asynccontextmanager
async def installation(
    folder: Path, **settings: str
) -> AsyncIterator[tuple[Config, Parts, Portal]]:
    (folder / "ca.pem").write_text("")
    given = {"DATA_DIR": "data", "HELO_NAME": "smarthost.example.com"} | settings
    config = load_config(
        {f"SMARTHOST_{name}": value for name, value in given.items()},
        working_directory=folder,
        machine_name=str,
        stderr_is_terminal=False,
    )
    async with open_parts(config, create=True) as parts:
        yield config, parts, await parts.portals.create_portal("default", BY)


async def test_without_any_relay_there_is_none(tmp_path: Path) -> None:
    async with installation(tmp_path) as (config, parts, portal):
        relays = Relays(parts.settings, parts.tokens, parts.key_ring, config)
        for find in (relays.of, relays.default_of):
            with pytest.raises(BrokenOffError) as refused:
                await find(portal.id)
            assert (refused.value.code, refused.value.revision) == (Code.NO_RELAY, 0)


async def test_a_portals_own_relay_has_its_password_opened(tmp_path: Path) -> None:
    async with installation(tmp_path, NTLM="off") as (config, parts, portal):
        await parts.settings.save(portal.id, draft(), BY)
        relay = await Relays(parts.settings, parts.tokens, parts.key_ring, config).of(portal.id)
    assert (relay.host, relay.port, relay.enable_ssl) == ("mail.example.com", 587, True)
    assert (relay.portal_id, relay.revision) == (portal.id, 1)
    assert (relay.enable_auth, relay.user_name) == (True, "notify")
    assert relay.password is not None
    assert relay.password.reveal() == CANARY
    assert (relay.ntlm_allowed, relay.policy_exempt, relay.ca_file) == (False, False, None)
    assert relay.helo_name == "smarthost.example.com"


async def test_the_default_relay_has_the_operators_password_and_authority(tmp_path: Path) -> None:
    async with installation(tmp_path, DEFAULT_RELAY_URL=DEFAULT) as (config, parts, portal):
        relays = Relays(parts.settings, parts.tokens, parts.key_ring, config)
        before = await relays.of(portal.id)
        await parts.settings.save(portal.id, draft(OPEN_RELAY, None), BY)
        own = await relays.of(portal.id)
        default = await relays.default_of(portal.id)
        await parts.settings.reset(portal.id, BY)
        after = await relays.of(portal.id)
    assert (own.host, own.password) == ("mail.example.com", None)
    assert (before.host, before.port, before.revision) == ("mail.example.net", 465, 0)
    assert before.password is not None
    assert before.password.reveal() == "p@ss"
    assert (before.ca_file, before.policy_exempt) == (tmp_path / "ca.pem", True)
    assert (default.host, default.policy_exempt) == ("mail.example.net", True)
    assert after.revision == 2


async def test_a_password_that_does_not_open_stops_the_mail(tmp_path: Path) -> None:
    async with installation(tmp_path) as (config, parts, portal):
        await parts.settings.save(portal.id, draft(), BY)
        other = KeyRing({key_id(bytes(KEY_OCTETS)): bytes(KEY_OCTETS)}, key_id(bytes(KEY_OCTETS)))
        with pytest.raises(BrokenOffError) as refused:
            await Relays(parts.settings, parts.tokens, other, config).of(portal.id)
    assert (refused.value.code, refused.value.revision) == (Code.PASSWORD_UNREADABLE, 1)


# OAuth2.


async def test_with_oauth2_a_token_is_got_by_what_was_sealed(tmp_path: Path) -> None:
    async with installation(tmp_path) as (config, parts, portal):
        await parts.settings.save(portal.id, draft(), BY)
        await parts.bindings.bind(portal.id, REFRESHED, BY)
        relay = await Relays(parts.settings, parts.tokens, parts.key_ring, config).of(portal.id)
    assert (relay.enable_auth, relay.user_name, relay.password) == (
        True,
        "notify@example.com",
        None,
    )
    assert relay.oauth2 is not None
    assert relay.oauth2.oauth2.token_url == TOKEN_URL
    assert relay.oauth2.secrets.refresh_token == Secret(REFRESH_TOKEN)
    assert relay.oauth2.secrets.client_secret == Secret(CLIENT_SECRET)


async def test_the_refresh_token_that_came_last_is_used(tmp_path: Path) -> None:
    async with installation(tmp_path) as (config, parts, portal):
        await parts.settings.save(portal.id, draft(), BY)
        await parts.bindings.bind(portal.id, REFRESHED, BY)
        relays = Relays(parts.settings, parts.tokens, parts.key_ring, config)
        book = TokenBook(parts.tokens, TokenTurns(tmp_path / "turns", parts.clock))
        news = TokenNews(at=1, expires_at=2, refresh=Secret("c4nary-refresh-1"))
        await book.keep(await relays.of(portal.id), news)
        assert await book.newest(await relays.of(portal.id)) == news.refresh
        after = await relays.of(portal.id)
        assert after.oauth2 is not None
        assert after.oauth2.secrets.refresh_token == Secret("c4nary-refresh-1")
        await book.keep(after, TokenNews(at=3, why=NoToken.CONSENT_NEEDED, said="invalid_grant"))
        state = (await parts.bindings.status(portal.id)).tokens
        assert state is not None
        assert (state.error, state.said, state.expires_at) == (
            "consent_needed",
            "invalid_grant",
            None,
        )
        # What was typed to be checked goes on with the same sign-in.
        in_force = await parts.settings.current(portal.id)
        assert in_force.settings is not None
        kept = msgspec.structs.replace(in_force.settings, sender_display_name="Other")
        relay = await relays.of_draft(draft(kept, None), in_force)
        assert relay.oauth2 == after.oauth2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE smtp_settings_revisions SET oauth2 = replace(oauth2, 'example.net', 'evil.test')",
        "UPDATE smtp_settings_revisions SET oauth2 = '{' WHERE revision = 2",
        "UPDATE smtp_settings_revisions SET host = 'evil.test'",
        "UPDATE smtp_settings_revisions SET sealed_password = zeroblob(60)",
        "UPDATE oauth2_tokens SET sealed_refresh_token = zeroblob(60)",
    ],
)
async def test_oauth2_that_was_altered_stops_the_mail(tmp_path: Path, sql: str) -> None:
    async with installation(tmp_path) as (config, parts, portal):
        await parts.settings.save(portal.id, draft(), BY)
        await parts.bindings.bind(portal.id, REFRESHED, BY)
        await parts.tokens.keep(portal.id, 2, Fetched(at=1, refresh=Secret("c4nary-refresh-1")))
        unlock = "DROP TRIGGER smtp_settings_revisions_are_immutable"
        await parts.database.transact(executing(unlock))
        await parts.database.transact(executing(sql))
        with pytest.raises(BrokenOffError) as refused:
            await Relays(parts.settings, parts.tokens, parts.key_ring, config).of(portal.id)
    assert refused.value.code is Code.PASSWORD_UNREADABLE


async def test_a_token_that_cannot_be_written_down_is_none(tmp_path: Path) -> None:
    async with installation(tmp_path) as (config, parts, portal):
        await parts.settings.save(portal.id, draft(), BY)
        await parts.bindings.bind(portal.id, REFRESHED, BY)
        relay = await Relays(parts.settings, parts.tokens, parts.key_ring, config).of(portal.id)
    book = TokenBook(parts.tokens, TokenTurns(tmp_path / "turns", parts.clock))
    with pytest.raises(NoTokenError) as none:  # the store is closed by now
        await book.keep(relay, TokenNews(at=1, expires_at=2))
    assert none.value.why is NoToken.UNAVAILABLE


def test_the_table_of_providers_tells_its_end_points() -> None:
    known = ProvidersEndPoints()
    microsoft = known.of_host("smtp.office365.com")
    assert microsoft is not None
    assert microsoft == known.of_provider("microsoft-365")
    assert "<tenant>" in microsoft.token_url
    assert microsoft.client_credentials_scope == "https://outlook.office365.com/.default"
    assert known.of_provider("alimail") is None
    assert known.of_provider("nobody") is None
    assert known.of_host("mail.example.com") is None
