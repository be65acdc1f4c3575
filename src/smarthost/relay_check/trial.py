"""The test message: put into the queue like any other, and read there until it has ended.

It is bound to the revision of the settings in force when it starts, and goes to the person who
asked. What became of it is read from the queue's rows each time, and worded then; this room keeps
nothing but that no relay was in force.
"""

import msgspec

from smarthost.audit.model import Actor
from smarthost.clock import Clock
from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, RelayShown
from smarthost.explanations.relay_shown import relay_shown
from smarthost.ids import Ids
from smarthost.mail.address import parse_address
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue import schedule
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import LastTest, State
from smarthost.portals.model import Portal
from smarthost.relay_check.message import ShownRelay, trial_message
from smarthost.relay_check.model import TrialState, WithoutRelay
from smarthost.relay_check.stages import DONE, SETUP, Stage, path_of, stage_of
from smarthost.relay_check.store import TrialStore
from smarthost.smtp_settings.model import Revision, SmtpSettings
from smarthost.smtp_settings.store import SettingsStore

_UNDER_WAY = frozenset({State.QUEUED, State.SENDING})


class DefaultInForce(msgspec.Struct, frozen=True, kw_only=True):
    """The installation's default relay, and whether portals may see what it is."""

    settings: SmtpSettings | None
    hidden: bool


class Trial:
    """Starts tests and tells how far they are."""

    def __init__(
        self,
        *,
        settings: SettingsStore,
        default: DefaultInForce,
        intake: Intake,
        messages: MessageStore,
        store: TrialStore,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._settings = settings
        self._default = default
        self._intake = intake
        self._messages = messages
        self._store = store
        self._clock = clock
        self._ids = ids

    async def start(self, portal: Portal, to: str, by: Actor) -> TrialState:
        """Start a test that goes to the address `to`, and return its state.

        While one of the portal's tests runs there is no other: then the state is that one's.
        Without a relay in force the test has failed at once. Raises `StoreUnavailableError`.
        """
        revision = await self._settings.current(portal.id)
        relay = revision.settings or self._default.settings
        if relay is None:
            return _without_relay(await self._store.set_without_relay(portal.id))
        envelope = self._message(portal, revision, relay, to)
        message_id = await self._intake.submit_test(
            portal.id, envelope, revision=revision.number, by=by
        )
        test = await self._messages.last_test(portal.id)
        if test is None or test.message_id != message_id:
            # Ended, and followed by another one, within this moment.
            return _running(message_id, None, revision.number)
        return await self._state(portal.id, test)

    async def status(self, portal_id: str) -> TrialState | None:
        """Return the state of the portal's last test, None if there never was one."""
        test = await self._messages.last_test(portal_id)
        without = await self._store.without_relay(portal_id)
        if without is not None and (test is None or test.accepted_at < without.at):
            return _without_relay(without)
        return None if test is None else await self._state(portal_id, test)

    async def path(self, portal_id: str, state: TrialState) -> tuple[Step, ...]:
        """Return the steps that this test of the portal takes in any case, in their order."""
        if state.revision is None:
            return ()
        revision = await self._settings.revision(portal_id, state.revision)
        relay = revision.settings or self._default.settings
        return () if relay is None else path_of(relay)

    def _message(
        self, portal: Portal, revision: Revision, relay: SmtpSettings, to: str
    ) -> Envelope:
        sender = parse_address(relay.sender_address)
        shown = None if self._hides(revision) else ShownRelay(relay.host, relay.port)
        return trial_message(
            portal_name=portal.name,
            relay=shown,
            revision=revision.number,
            sender=sender,
            sender_name=relay.sender_display_name,
            to=parse_address(to),
            message_id=f"<{self._ids.new()}@{sender.domain}>",
            at=self._clock.now(),
        )

    async def _state(self, portal_id: str, test: LastTest) -> TrialState:
        over = schedule.is_over(test.accepted_at, self._clock.now())
        if test.state in _UNDER_WAY and not over:
            return _running(test.message_id, test.step, test.revision)
        if test.state is State.SENT:
            return TrialState(
                id=test.message_id,
                completed=True,
                percents=DONE.percents,
                status=DONE.status,
                revision=test.revision,
            )
        reached = test.step if test.attempt is None else test.attempt.step
        relay = self._shown(await self._settings.revision(portal_id, test.revision))
        return _failed(test.message_id, stage_of(reached), _facts(test, relay), test.revision)

    def _shown(self, revision: Revision) -> RelayShown | None:
        """Return what the portal may read about the relay that a test was for."""
        return relay_shown(revision, None if self._default.hidden else self._default.settings)

    def _hides(self, revision: Revision) -> bool:
        return revision.settings is None and self._default.hidden


def _facts(test: LastTest, relay: RelayShown | None) -> Facts:
    attempt = test.attempt
    if attempt is None or attempt.code is None:
        # Nobody has told its end: the worker died, or none has run.
        return Facts(
            step=test.step or Step.RESOLVE,
            code=Code.INTERRUPTED,
            relay=relay,
            in_doubt=schedule.in_doubt(test.step),
        )
    return Facts(
        step=attempt.step,
        code=attempt.code,
        permanent=attempt.permanent,
        reply=attempt.reply,
        relay=relay,
        in_doubt=attempt.in_doubt,
        tls=attempt.tls,
    )


def _running(message_id: str, step: Step | None, revision: int) -> TrialState:
    stage = stage_of(step)
    return TrialState(
        id=message_id,
        completed=False,
        percents=stage.percents,
        status=stage.status,
        step=step,
        revision=revision,
    )


def _failed(test_id: str, stage: Stage, facts: Facts, revision: int | None = None) -> TrialState:
    return TrialState(
        id=test_id,
        completed=True,
        percents=stage.percents,
        status=stage.status,
        failure=explain(facts),
        revision=revision,
    )


def _without_relay(ended: WithoutRelay) -> TrialState:
    return _failed(ended.id, SETUP, Facts(step=Step.RESOLVE, code=Code.NO_RELAY, permanent=True))
