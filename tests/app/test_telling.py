"""A portal on hold, and what its administrator gets: through the installation's own relay."""

import asyncio
import email
import email.policy
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

from smarthost.app.first_start import initialise
from smarthost.app.parts import Parts, open_parts
from smarthost.app.telling import webhook_policy
from smarthost.audit.model import OPERATOR, Actor
from smarthost.clock import MICROSECONDS
from smarthost.config import Config, load_config
from smarthost.mail_queue.accepted.model import Message
from smarthost.mail_queue.model import Kind, State
from tests.contract.relays import Inbox
from tests.mail_queue.listed import every_message
from tests.mail_queue.scripted import until
from tests.relay_health.held import SAVED, hold, put_on_hold
from tests.smtp.relays import relay

ADMIN = "admin@example.com"
_PATIENCE = 20.0


def config(folder: Path, default_port: int | None, **more: str) -> Config:
    given = {"DATA_DIR": str(folder), "HELO_NAME": "smarthost.test", **more}
    if default_port is not None:
        given["DEFAULT_RELAY_URL"] = (
            f"smtp://127.0.0.1:{default_port}?sender=smarthost@example.net&name=Smarthost"
        )
    return load_config(
        {f"SMARTHOST_{name}": value for name, value in given.items()},
        working_directory=folder,
        machine_name=lambda: "smarthost.test",
        stderr_is_terminal=False,
    )


async def put_portal_on_hold(parts: Parts) -> str:
    """Make an installation whose portal's own relay has taken no mail for two minutes."""
    portal = (await initialise(parts, ADMIN)).portal
    await parts.settings.save(portal.id, SAVED, Actor(name=OPERATOR))
    since = parts.clock.now() - 120 * MICROSECONDS
    waits = hold(portal.id, since, probe_at=parts.clock.now() + 3600 * MICROSECONDS)
    await put_on_hold(parts.database, waits)
    return portal.id


async def notices(parts: Parts, portal_id: str) -> Sequence[Message]:
    return await every_message(parts.delivery.mail_log, portal_id, kind=Kind.NOTICE)


async def stop(parts: Parts, delivering: asyncio.Task[None]) -> None:
    parts.delivery.stop()
    await asyncio.wait_for(delivering, _PATIENCE)


async def test_a_hold_is_told_through_the_default_relay(tmp_path: Path) -> None:
    inbox = Inbox()
    async with (
        relay(inbox) as running,
        open_parts(config(tmp_path, running.port), create=True) as parts,
    ):
        portal_id = await put_portal_on_hold(parts)

        async def is_sent() -> bool:
            found = await notices(parts, portal_id)
            return [one.recipients[0].state for one in found] == [State.SENT]

        delivering = asyncio.create_task(parts.delivery.run())
        await until(is_sent)
        await stop(parts, delivering)
        assert await parts.delivery.holds.current(portal_id) is not None
    (octets,) = inbox.messages
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert (message["To"], message["From"]) == (ADMIN, "Smarthost <smarthost@example.net>")
    assert "mail.acme.example refused the login" in message.get_content()


async def test_without_a_default_relay_nobody_is_told(tmp_path: Path) -> None:
    async with open_parts(config(tmp_path, None), create=True) as parts:
        portal_id = await put_portal_on_hold(parts)
        delivering = asyncio.create_task(parts.delivery.run())
        # With one it would look at once.
        await asyncio.sleep(0.2)
        await stop(parts, delivering)
        assert await notices(parts, portal_id) == []


@pytest.mark.parametrize("networks", ["any", "127.0.0.0/8"])
def test_a_network_for_relays_is_open_for_webhooks_of_the_only_portal_alone(
    networks: str, tmp_path: Path
) -> None:
    alone = webhook_policy(config(tmp_path, None, RELAY_NETWORKS=networks))
    assert alone.allows(ip_address("127.0.0.1"), 443)
    several = config(tmp_path, None, RELAY_NETWORKS=networks, BASE_DOMAIN="portals.example")
    assert not webhook_policy(several).allows(ip_address("127.0.0.1"), 443)
