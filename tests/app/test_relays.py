"""The relay in force: whose it is, with which password, and that a broken seal stops it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from smarthost.app.parts import Parts, open_parts
from smarthost.app.relays import Relays
from smarthost.audit.model import Actor
from smarthost.config import Config, load_config
from smarthost.delivery.outcome import Code
from smarthost.mail_queue.model import BrokenOffError
from smarthost.portals.model import Portal
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
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
