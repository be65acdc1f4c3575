"""Tries settings out without sending anything, whether they are saved or were only typed.

It goes the way of all mail, by `delivery.attempt`, with the message that the test would send, and
turns back behind RCPT: RSET and QUIT. Nothing is put into the queue. So what fails here has the
code and the words that it has for the test and for real mail.
"""

from typing import Protocol

import msgspec

from smarthost.audit.model import Actor
from smarthost.clock import Clock
from smarthost.delivery.attempt import attempt
from smarthost.delivery.outcome import Outcome, Step, StepState
from smarthost.delivery.pool import Pool
from smarthost.delivery.relay import RelaySettings
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, Failure
from smarthost.explanations.relay_shown import shown
from smarthost.ids import Ids
from smarthost.mail.address import Address, parse_address
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue import schedule
from smarthost.mail_queue.model import BrokenOffError, Kind
from smarthost.portals.model import Portal
from smarthost.providers import Providers
from smarthost.relay_check.advice import advice
from smarthost.relay_check.message import ShownRelay, trial_message
from smarthost.relay_check.model import Checked, NothingToCheckError, StepTold
from smarthost.relay_check.steps import LAST, Steps, TellStep
from smarthost.relay_check.trial import DefaultInForce
from smarthost.smtp_settings.model import (
    Change,
    Draft,
    Revision,
    SettingsInput,
    SmtpSettings,
)
from smarthost.smtp_settings.rules import check
from smarthost.smtp_settings.store import SettingsStore
from smarthost.smtp_settings.writing.store import IfMatch

DEADLINE_SECONDS = schedule.deadline_seconds(Kind.TEST)
"""The most seconds that a check may take: as many as the test's attempt."""


class RelayMaker(Protocol):
    """Makes what an attempt goes to; the same that makes it for real mail."""

    async def of_revision(self, revision: Revision) -> RelaySettings:
        """Return the relay that is in force with this revision. Raises `BrokenOffError`."""
        ...

    async def of_draft(self, draft: Draft, in_force: Revision) -> RelaySettings:
        """Return the relay that would be in force with this draft. Raises `BrokenOffError`."""
        ...


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A check that can begin: every rule of the settings holds."""

    portal: Portal
    in_force: Revision
    """When it was prepared."""
    settings: SmtpSettings
    """What is checked."""
    draft: Draft | None
    """None: the settings in force are checked."""
    to: Address
    by: Actor
    save_when_proven: bool
    if_match: IfMatch


async def nobody(_step: StepTold) -> None:
    """Take no notice of a step."""


class Check:
    """Checks settings: `prepare`, which makes no connection, and then `run`."""

    def __init__(
        self,
        *,
        settings: SettingsStore,
        default: DefaultInForce,
        relays: RelayMaker,
        connections: Pool,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """Take `connections` for checks alone; `close` closes them."""
        self._settings = settings
        self._default = default
        self._relays = relays
        self._connections = connections
        self._clock = clock
        self._ids = ids

    async def prepare(
        self,
        portal: Portal,
        typed: SettingsInput | None,
        to: str,
        *,
        by: Actor,
        unread: frozenset[str] = frozenset(),
        save_when_proven: bool = False,
        if_match: IfMatch = None,
    ) -> Prepared:
        """Look at everything that can be wrong before the first connection.

        `typed` None: the stored settings, or the default relay where the portal may see it. `to`
        is the address that the relay is asked about. `save_when_proven` saves what was typed if
        the check has passed. `unread` is that of `rules.check`: whoever asks with some refuses
        in any case, and does not run what this returns.

        Raises `InvalidSettingsError` with all faults, then `RevisionConflictError`;
        `NothingToCheckError`; `StoreUnavailableError`.
        """
        in_force = await self._settings.current(portal.id)
        draft = None if typed is None else check(typed, in_force.settings, unread)
        if if_match is not None and not unread:
            in_force = await self._settings.matching(portal.id, if_match)
        return Prepared(
            portal=portal,
            in_force=in_force,
            settings=self._stored(in_force) if draft is None else draft.settings,
            draft=draft,
            to=parse_address(to),
            by=by,
            save_when_proven=save_when_proven,
            if_match=if_match,
        )

    async def run(self, prepared: Prepared, told: TellStep = nobody) -> Checked:
        """Check, and save if that was asked for and nothing failed.

        It takes at most `DEADLINE_SECONDS`, and the time of `told`, which hears of each step as
        it begins and ends, counts; those that are not reached stand in the result alone. What
        `told` raises, and a cancellation, ends the check and its connection.

        Raises `RevisionConflictError` where it was to save, and the settings in force are no
        longer those of `if_match`, or of `prepare` where their password was to stay. Raises
        `StoreUnavailableError`.
        """
        steps = Steps(told, self._clock)
        try:
            relay = await self._relay(prepared)
        except BrokenOffError as stopped:
            await steps(Step.RESOLVE, StepState.BEGIN, {})
            await steps(Step.RESOLVE, StepState.FAILED, {})
            unready = _explained(prepared, _unready(stopped))
            return self._result(prepared, steps, unready)
        outcomes = await attempt(
            relay,
            [self._message(prepared)],
            connections=self._connections,
            clock=self._clock,
            report=steps,
            until=LAST,
            fresh=True,
            deadline_seconds=DEADLINE_SECONDS,
        )
        failure = _explained(prepared, _facts(outcomes[0])) if outcomes else None
        if failure is None and prepared.save_when_proven and prepared.draft is not None:
            change = await self._save(prepared, prepared.draft, relay)
            return self._result(prepared, steps, failure, change)
        return self._result(prepared, steps, failure)

    async def close(self) -> None:
        """End the connections; to be called once no check runs any more."""
        await self._connections.close()

    def _stored(self, in_force: Revision) -> SmtpSettings:
        settings = in_force.settings
        if settings is None and not self._default.hidden:
            settings = self._default.settings
        if settings is None:
            raise NothingToCheckError
        return settings

    async def _relay(self, prepared: Prepared) -> RelaySettings:
        if prepared.draft is None:
            return await self._relays.of_revision(prepared.in_force)
        return await self._relays.of_draft(prepared.draft, prepared.in_force)

    def _message(self, prepared: Prepared) -> Envelope:
        settings = prepared.settings
        sender = parse_address(settings.sender_address)
        # What is typed would be the next revision.
        ahead = 0 if prepared.draft is None else 1
        return trial_message(
            portal_name=prepared.portal.name,
            relay=ShownRelay(settings.host, settings.port),
            revision=prepared.in_force.number + ahead,
            sender=sender,
            sender_name=settings.sender_display_name,
            to=prepared.to,
            message_id=f"<{self._ids.new()}@{sender.domain}>",
            at=self._clock.now(),
        )

    async def _save(self, prepared: Prepared, draft: Draft, relay: RelaySettings) -> Change:
        """Save what was proven, the very password included."""
        if_match = prepared.if_match
        if draft.keeps_password:
            # Another one may be stored by now, which nobody has proven, or none.
            draft = msgspec.structs.replace(draft, password=relay.password)
            if_match = frozenset({prepared.in_force.number})
        return await self._settings.put(prepared.portal.id, draft, prepared.by, if_match)

    def _result(
        self,
        prepared: Prepared,
        steps: Steps,
        failure: Failure | None,
        change: Change | None = None,
    ) -> Checked:
        saved = None if change is None else change.after
        checked = prepared.in_force if prepared.draft is None else saved
        return Checked(
            ok=failure is None,
            steps=steps.all(),
            failure=failure,
            warnings=_warnings(prepared, steps),
            saved=saved is not None,
            revision=None if checked is None else checked.number,
            ends_oauth2=change is not None and change.ends_oauth2,
        )


def _unready(stopped: BrokenOffError) -> Facts:
    # As the queue has it: somebody has to type the password again, or to bring the key back.
    return Facts(step=Step.RESOLVE, code=stopped.code, permanent=True)


def _facts(outcome: Outcome) -> Facts:
    assert outcome.code is not None  # noqa: S101 - nothing is accepted before DATA
    return Facts(
        step=outcome.step,
        code=outcome.code,
        permanent=outcome.permanent,
        reply=outcome.reply,
        in_doubt=outcome.in_doubt,
        tls=outcome.tls,
    )


def _warnings(prepared: Prepared, steps: Steps) -> tuple[Failure, ...]:
    settings, tls = prepared.settings, steps.tls()
    found = [Facts(step=step, code=code, tls=tls) for step, code in steps.warnings()]
    found += [
        Facts(step=one.step, code=one.code, tls=tls, recommended=one.recommended)
        for one in advice(settings, Providers.load().of_host(settings.host))
    ]
    return tuple(_explained(prepared, facts) for facts in found)


def _explained(prepared: Prepared, facts: Facts) -> Failure:
    """Word it; the relay shows, since whoever checks has typed it or may read it."""
    return explain(msgspec.structs.replace(facts, relay=shown(prepared.settings)))
