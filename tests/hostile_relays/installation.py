"""An installation in this process, with its worker running, and what it has written down."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from smarthost.app.first_start import initialise
from smarthost.app.parts import Parts, open_parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.clock import Clock
from smarthost.config import load_config
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.accepted.model import Details, RecipientStatus, Submission
from smarthost.mail_queue.model import Attempted, State
from smarthost.portals.model import Portal
from smarthost.relay_check.model import TrialState
from tests.hostile_relays.honest import Relay
from tests.smtp_settings.relays import draft, relay

PASSWORD = "c4nary-P4ssw0rd-77"
USER_NAME = "notify"
SENDER = "notify@example.com"
TO = "anna@example.org"

Mail = list[tuple[str, RecipientStatus]]
"""Each sender and recipient, and where it stands."""
Attempts = list[tuple[str, Attempted]]
"""All attempts, each with its sender, those of one recipient in their order."""

_BY = Actor(name=OPERATOR)
_PATIENCE = 45.0
_MAIL_PATIENCE = 10_000.0  # which a loop must make quick
_ATTEMPTS = """
SELECT attempt, result, step, code, permanent, in_doubt, reply, microseconds, tls
FROM attempts WHERE portal_id = $1 AND message_id = $2"""
_RECIPIENTS = """
SELECT state, due_at, attempts_count, in_doubt, step
FROM recipients WHERE portal_id = $1 AND message_id = $2"""


class Installation:
    """One portal, and its administrator's proof."""

    def __init__(self, parts: Parts, portal: Portal) -> None:
        self._parts = parts
        self._portal = portal
        self._mail: dict[str, str] = {}

    async def save(self, to: Relay, settings: Mapping[str, object] = {}) -> None:
        """Save settings for a relay: with TLS and a login, if nothing else is said."""
        fields: dict[str, Any] = {
            "host": to.host,
            "port": to.port,
            "user_name": USER_NAME,
            "sender_address": SENDER,
            **settings,
        }
        saved = draft(relay(**fields), PASSWORD if fields.get("enable_auth", True) else None)
        await self._parts.settings.save(self._portal.id, saved, _BY)

    async def test(self) -> TrialState:
        """Start a test and watch it to its end."""
        started = await self._parts.trial.start(self._portal, TO, _BY)
        async with asyncio.timeout(_PATIENCE):
            while True:
                state = await self._parts.trial.status(self._portal.id)
                assert state is not None
                assert state.id == started.id
                if state.completed:
                    return state
                await asyncio.sleep(0.02)

    async def submit(self, envelopes: Sequence[Envelope]) -> None:
        """Accept mail; what was accepted stays in mind by its sender."""
        submissions = [
            Submission(id=self._parts.ids.new(), envelope=one, details=Details())
            for one in envelopes
        ]
        await self._parts.delivery.intake.submit(self._portal.id, submissions, by=_BY, owner=None)
        self._mail |= {one.id: one.envelope.sender for one in submissions}

    async def comes_to(self, it_has: Callable[[Mail, Attempts], bool]) -> None:
        """Wait until all mail was tried, or waits for a relay that was, and this came of it."""
        async with asyncio.timeout(_MAIL_PATIENCE):
            while True:
                mail = await self.mail()
                on_hold = await self._parts.delivery.holds.current(self._portal.id)
                is_tried = on_hold or all(one.code or one.state is State.SENT for _, one in mail)
                if is_tried and it_has(mail, await self.mail_attempts()):
                    return
                await asyncio.sleep(1)

    async def all_has_ended(self) -> None:
        """Wait until nothing more happens to any mail."""
        async with asyncio.timeout(_MAIL_PATIENCE):
            while True:
                if all(one.ended_at is not None for _, one in await self.mail()):
                    return
                await asyncio.sleep(1)

    async def mail(self) -> Mail:
        """Return each sender and recipient, and where it stands."""
        found = []
        for message_id, sender in self._mail.items():
            message = await self._parts.delivery.messages.get(self._portal.id, message_id)
            assert message is not None
            found += [(sender, one) for one in message.recipients]
        return found

    async def mail_attempts(self) -> Attempts:
        """Return all attempts, each with its sender, those of one recipient in their order."""
        return [
            (sender, one)
            for message_id, sender in self._mail.items()
            for one in await self._parts.delivery.messages.attempts(self._portal.id, message_id)
        ]

    async def attempts(self, test: TrialState) -> list[dict[str, Any]]:
        return await self._rows(_ATTEMPTS, test)

    async def recipients(self, test: TrialState) -> list[dict[str, Any]]:
        return await self._rows(_RECIPIENTS, test)

    async def _rows(self, statement: str, test: TrialState) -> list[dict[str, Any]]:
        listed, _, _ = statement.strip().removeprefix("SELECT").partition("FROM")
        names = [name.strip() for name in listed.split(",")]
        rows = await self._parts.database.fetch(statement, self._portal.id, test.id)
        return [dict(zip(names, row, strict=True)) for row in rows]


@asynccontextmanager
async def installation(folder: Path, clock: Clock) -> AsyncIterator[Installation]:
    given = {"DATA_DIR": str(folder), "HELO_NAME": "smarthost.test", "RETRY_SECONDS": "30"}
    config = load_config(
        {f"SMARTHOST_{name}": value for name, value in given.items()},
        working_directory=folder,
        machine_name=str,
        stderr_is_terminal=False,
    )
    async with open_parts(config, create=True, clock=clock) as parts:
        first = await initialise(parts, "admin@example.com")
        delivering = asyncio.create_task(parts.delivery.run())
        try:
            yield Installation(parts, first.portal)
        finally:
            parts.delivery.stop()
            await delivering
