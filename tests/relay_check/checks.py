"""Checks against scripted relays: an installation, its portal, and what resolves the names."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from smarthost.app.parts import Parts, open_parts
from smarthost.app.relays import Relays, default_settings
from smarthost.audit.model import Actor
from smarthost.clock import Clock
from smarthost.config import load_config
from smarthost.delivery.outcome import StepState
from smarthost.delivery.pool import Pool
from smarthost.portals.model import Portal
from smarthost.relay_check.check import Check, Prepared
from smarthost.relay_check.model import Checked, StepTold
from smarthost.relay_check.steps import TellStep
from smarthost.relay_check.trial import DefaultInForce
from smarthost.secret import Secret
from smarthost.smtp.egress import Policy
from smarthost.smtp_settings import rules
from smarthost.smtp_settings.model import Revision, SettingsInput
from tests.names import Names
from tests.smtp.relays import HOST, Peer

BY = Actor(name="ann@example.org")
TO = "ann@example.org"
USER = "notify@example.com"
SENDER = "notify@example.com"


class Bench:
    """A portal whose settings are checked; `names` keeps what was looked up."""

    def __init__(self, parts: Parts, portal: Portal, check: Check, names: Names) -> None:
        self.parts = parts
        self.portal = portal
        self.names = names
        self._check = check
        self.told: list[StepTold] = []

    async def check(self, typed: SettingsInput | None = None, **options: Any) -> Checked:
        """Prepare a check and run it; what is told is kept in `told`."""
        return await self.run(await self.prepare(typed, **options), self._tell)

    async def prepare(self, typed: SettingsInput | None, **options: Any) -> Prepared:
        return await self._check.prepare(self.portal, typed, TO, by=BY, **options)

    async def run(self, prepared: Prepared, told: TellStep) -> Checked:
        return await self._check.run(prepared, told)

    async def save(self, typed: SettingsInput) -> Revision:
        """Save settings without a check."""
        in_force = await self.parts.settings.current(self.portal.id)
        draft = rules.check(typed, in_force.settings)
        return await self.parts.settings.save(self.portal.id, draft, BY)

    async def in_force(self) -> Revision:
        return await self.parts.settings.current(self.portal.id)

    async def _tell(self, step: StepTold) -> None:
        self.told.append(step)


@asynccontextmanager
async def bench(
    folder: Path,
    *,
    policy: Policy | None = None,
    hidden: bool = False,
    clock: Clock | None = None,
    **environ: str,
) -> AsyncIterator[Bench]:
    """An installation in which every name is loopback's."""
    given = {"DATA_DIR": "data", "HELO_NAME": "smarthost.example.com"} | environ
    config = load_config(
        {f"SMARTHOST_{name}": value for name, value in given.items()},
        working_directory=folder,
        machine_name=str,
        stderr_is_terminal=False,
    )
    async with open_parts(config, create=True, clock=clock) as parts:
        names = Names(["127.0.0.1"])
        check = Check(
            settings=parts.settings,
            default=DefaultInForce(settings=default_settings(config), hidden=hidden),
            relays=Relays(parts.settings, parts.tokens, parts.key_ring, config),
            connections=Pool(
                policy=policy or Policy("any"), resolver=names, clock=parts.clock, idle_seconds=0
            ),
            clock=parts.clock,
            ids=parts.ids,
        )
        portal = await parts.portals.create_portal("acme", BY)
        try:
            yield Bench(parts, portal, check, names)
        finally:
            await check.close()


def typed(port: int, *, password: str | None = None, **changes: Any) -> SettingsInput:
    """What somebody types; with a password they log in."""
    settings = SettingsInput(host=HOST, port=port, sender_address=SENDER)
    if password is not None:
        changes = {"enable_auth": True, "user_name": USER, "password": Secret(password)} | changes
    return msgspec.structs.replace(settings, **changes)


def ends(checked: Checked) -> list[str]:
    """Steps and how each ended, as `tls ok`."""
    return [f"{one.step} {one.state}" for one in checked.steps]


def seen(checked: Checked, step: str) -> dict[str, Any]:
    """What the last run of a step saw."""
    runs = [one for one in checked.steps if one.step == step]
    return dict(runs[-1].seen)


def skipped(checked: Checked) -> list[str]:
    return [one.step.value for one in checked.steps if one.state is StepState.SKIPPED]


async def take_no_message(peer: Peer, *, sender: str = "250 2.1.0 Ok") -> None:
    """Play a relay that is asked for one recipient and then told to forget it."""
    assert (await peer.hear("MAIL FROM:")).startswith(f"<{SENDER}>")
    await peer.say(sender)
    assert await peer.hear("RCPT TO:") == f"<{TO}>"
    await peer.say("250 2.1.5 Ok")
    await peer.forget()
    assert await peer.is_left()
