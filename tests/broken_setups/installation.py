"""An installation in this process, and the three ways in which it meets its portal's relay."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from smarthost.app.first_start import initialise
from smarthost.app.parts import Parts, open_parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.clock import Clock
from smarthost.config import load_config
from smarthost.explanations.failure import Failure
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.accepted.model import Details, Submission
from smarthost.portals.model import ConflictError, Portal
from smarthost.relay_check.model import Checked
from smarthost.sending.attempts import Attempts
from smarthost.smtp.egress import SystemResolver
from smarthost.smtp_settings.binding.model import BindingInput
from smarthost.smtp_settings.model import Draft, Faults, InvalidSettingsError, SettingsInput
from smarthost.smtp_settings.rules import check

HELO_NAME = "smarthost.test"
SENDER = "notify@example.com"

_ADMIN = "admin@example.com"
_BY = Actor(name=OPERATOR)
_PATIENCE = 1_000.0  # seconds of the loop's time, which may be quick
_LOOK_SECONDS = 0.01


class Installation:
    """One portal, whose administrator has typed something."""

    def __init__(self, parts: Parts, portal: Portal, sign_in: BindingInput | None = None) -> None:
        """With `sign_in` that is set up whenever settings were saved."""
        self._parts = parts
        self._sign_in = sign_in
        self._portal = portal
        self._attempts = Attempts(parts.delivery.messages, parts.settings, parts.default_relay)

    async def check(self, typed: SettingsInput, to: str) -> Checked:
        """Check what was typed, which nobody has saved; but for a sign-in, which is saved."""
        checks, what = self._parts.check, typed if self._sign_in is None else None
        if what is None:
            await self.save(typed)
        return await checks.run(await checks.prepare(self._portal, what, to, by=_BY))

    async def refused(self, typed: SettingsInput) -> Faults:
        """Return what a check has against it, which begins with no connection then."""
        with pytest.raises(InvalidSettingsError) as told:
            await self._parts.check.prepare(self._portal, typed, _ADMIN, by=_BY)
        return told.value.faults

    async def save(self, typed: SettingsInput) -> Draft:
        draft = check(typed, None)
        await self._parts.settings.save(self._portal.id, draft, _BY)
        if self._sign_in is not None:
            await self._parts.bindings.bind(self._portal.id, self._sign_in, _BY)
        return draft

    async def test(self, to: str) -> Failure | None:
        """Send a test message; None: the relay has taken it."""
        trial = self._parts.trial
        began = await trial.start(self._portal, to, _BY)
        async with asyncio.timeout(_PATIENCE):
            while True:
                state = await trial.status(self._portal.id)
                assert state is not None
                assert state.id == began.id
                if state.completed:
                    break
                await asyncio.sleep(_LOOK_SECONDS)
        failure = await self._first_failure(began.id)
        assert state.error == ("" if failure is None else failure.text)
        return failure

    async def send(self, to: str) -> Failure | None:
        """Have a real e-mail tried once; None: the relay has taken it."""
        content = (
            f"From: <{SENDER}>\r\nTo: <{to}>\r\nSubject: Real mail\r\n"
            "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n"
        ).encode() + b"Words\r\n" * 100
        envelope = Envelope(
            sender=SENDER,
            recipients=(to,),
            content=content,
            needs_smtputf8=False,
            needs_8bit=False,
        )
        submission = Submission(id=self._parts.ids.new(), envelope=envelope, details=Details())
        await self._parts.delivery.intake.submit(self._portal.id, [submission], by=_BY, owner=None)
        return await self._first_failure(submission.id)

    async def _first_failure(self, message_id: str) -> Failure | None:
        async with asyncio.timeout(_PATIENCE):
            while True:
                made = await self._attempts.of(self._portal.id, message_id)
                if made:
                    return made[0].failure
                await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def installation(
    folder: Path,
    clock: Clock,
    look_up: Callable[[str], list[str]],
    environ: Mapping[str, str] = {},
    sign_in: BindingInput | None = None,
) -> AsyncIterator[Installation]:
    """Open one in `folder`; `look_up` takes the place of getaddrinfo(3)."""
    given = {"DATA_DIR": str(folder), "HELO_NAME": HELO_NAME, **environ}
    config = load_config(
        {f"SMARTHOST_{name}": value for name, value in given.items()},
        working_directory=folder,
        machine_name=str,
        stderr_is_terminal=False,
    )
    resolver = SystemResolver(look_up)
    async with open_parts(config, create=True, clock=clock, resolver=resolver) as parts:
        with suppress(ConflictError):  # opened again
            await initialise(parts, _ADMIN)
        (portal,) = await parts.portals.portals()
        delivering = asyncio.create_task(parts.delivery.run())
        try:
            yield Installation(parts, portal, sign_in)
        finally:
            parts.delivery.stop()
            await delivering
