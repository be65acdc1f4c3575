"""The three ways to a relay, through a gate of which the test says what it allows."""

import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from smarthost.app.relays import Relays
from smarthost.clock import SystemClock
from smarthost.config import load_config
from smarthost.config.model import RelayNetworks
from smarthost.delivery.attempt import attempt
from smarthost.delivery.outcome import Outcome
from smarthost.delivery.pool import Pool
from smarthost.ids import Ids
from smarthost.portals.model import Portal
from smarthost.relay_check.check import Check
from smarthost.relay_check.model import Checked
from smarthost.relay_check.trial import DefaultInForce
from smarthost.smtp.egress import Policy, SystemResolver
from smarthost.smtp_settings.binding.tokens.store import TokenStore
from smarthost.smtp_settings.model import Draft, SettingsInput
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.smtp_settings.store import SettingsStore
from tests.delivery.attempts import Told, envelope
from tests.relay_check.trials import BY, TO

LookUp = Callable[[str], Sequence[str]]
SECONDS = 20.0


class Names:
    """A machine's resolver that knows what the test says, and counts what it is asked."""

    def __init__(self, answers: Mapping[str, Sequence[str]] | None = None) -> None:
        self.asked: list[str] = []
        self.answers = dict(answers or {})

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "")
        return list(self.answers[host])


class Gate:
    """A portal before a gate."""

    def __init__(
        self, networks: RelayNetworks, look_up: LookUp, settings: SettingsStore, folder: Path
    ) -> None:
        config = load_config(
            {"SMARTHOST_HELO_NAME": "smarthost.example.com"},
            working_directory=folder,
            machine_name=str,
            stderr_is_terminal=False,
        )
        key = bytes(range(KEY_OCTETS))  # as that of the fixture `settings`
        ring = KeyRing({key_id(key): key}, key_id(key))
        self.clock = SystemClock()
        tokens = TokenStore(settings._database, self.clock, ring)
        self.relays = Relays(settings, tokens, ring, config)
        self.connections = Pool(
            policy=Policy(networks),
            resolver=SystemResolver(lambda host: list(look_up(host))),
            clock=self.clock,
            idle_seconds=0,
        )
        self.check = Check(
            settings=settings,
            default=DefaultInForce(settings=None, hidden=False),
            relays=self.relays,
            connections=self.connections,
            clock=self.clock,
            ids=Ids(self.clock),
        )
        self._settings = settings

    async def checked(self, portal: Portal, typed: SettingsInput | None) -> Checked:
        """Check what was typed, or what is stored."""
        return await self.check.run(await self.check.prepare(portal, typed, TO, by=BY))

    async def sent(
        self, portal: Portal, draft: Draft, *, fresh: bool, told: Told | None = None
    ) -> Outcome:
        """Hand a message over as the worker does: a test message if `fresh`, else real mail."""
        relay = await self.relays.of_draft(draft, await self._settings.current(portal.id))
        (outcome,) = await attempt(
            relay,
            [envelope()],
            connections=self.connections,
            clock=self.clock,
            report=told or Told(),
            fresh=fresh,
            deadline_seconds=SECONDS,
        )
        return outcome


@asynccontextmanager
async def gate(
    networks: RelayNetworks, look_up: LookUp, settings: SettingsStore, folder: Path
) -> AsyncIterator[Gate]:
    """Have a gate; at the end every goodbye is said."""
    made = Gate(networks, look_up, settings, folder)
    try:
        yield made
    finally:
        await made.connections.close()
