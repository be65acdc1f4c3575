"""One message's way from the settings in force to what the attempt came to.

The settings are read at the last moment, so that what was just saved is what is used. However an
attempt ends, by an outcome, a fault of ours or a stop of the service, there is an answer for each
recipient; unless the claim is lost, and somebody else has answered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.delivery.outcome import Code, Outcome, Report, Result, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue import schedule
from smarthost.mail_queue.model import Attempted, BrokenOffError, Claim, Claimed, Kind
from smarthost.mail_queue.progress import Progress
from smarthost.mail_queue.store import QueueStore
from smarthost.mail_queue.watch import Watch

log = structlog.get_logger("smarthost.mail_queue")

_OVERRUN_SECONDS = 5.0
_NEEDS_A_PERSON = frozenset({Code.NO_RELAY, Code.SETTINGS_CHANGED, Code.PASSWORD_UNREADABLE})

RelayOf = Callable[[str], Awaitable[RelaySettings]]
"""Reads the settings in force for a portal now.

Raises `StoreUnavailableError`, and `BrokenOffError` with the revision and `NO_RELAY` or
`PASSWORD_UNREADABLE`.
"""


class Attempt(Protocol):
    """Hands envelopes to one relay, as `delivery.attempt` does."""

    async def __call__(
        self,
        settings: RelaySettings,
        envelopes: Sequence[Envelope],
        *,
        report: Report,
        deadline_seconds: float,
        fresh: bool,
    ) -> Sequence[Outcome]:
        """Return what became of each recipient; `fresh`: over a connection of its own."""
        ...


class Trip:
    """The attempt for one claim; used once."""

    def __init__(
        self,
        claim: Claim,
        store: QueueStore,
        relay_of: RelayOf,
        clock: Clock,
        watch: Watch,
        before_data: Callable[[], Awaitable[None]],
        after_data: Callable[[], None],
    ) -> None:
        """`watch` looks at it meanwhile; `before_data` and `after_data` are the progress's."""
        self.claim = claim
        self.relay: RelaySettings | None = None
        self._relay_of = relay_of
        self._clock = clock
        self._watch = watch
        self._attempting: asyncio.Future[Sequence[Outcome]] | None = None
        self._reason: Exception | None = None
        self._started_at = clock.now()
        self._started = clock.monotonic()
        self._revision = claim.revision
        self._progress = Progress(store, claim, self._is_in_force, before_data, after_data)

    async def find_relay(self) -> RelaySettings:
        """Read the settings in force. Raises as `RelayOf` does."""
        self.relay = await self._in_force()
        self._revision = self.relay.revision
        return self.relay

    async def hand_over(
        self, relay: RelaySettings, envelope: Envelope, attempt: Attempt
    ) -> list[Attempted]:
        """Make the attempt. Raises `BrokenOffError`, `ClaimLostError`, `StoreUnavailableError`."""
        self._attempting = attempting = asyncio.ensure_future(
            attempt(
                relay,
                [envelope],
                report=self._progress.report,
                deadline_seconds=schedule.deadline_seconds(self.claim.kind),
                fresh=self.claim.kind is not Kind.MAIL,
            )
        )
        self._watch.begin(self)
        try:
            await asyncio.wait((attempting,))
        finally:
            self._watch.end(self)
            if not attempting.done():
                attempting.cancel()
                await asyncio.gather(attempting, return_exceptions=True)
        # What was cancelled may have come to its end all the same: then that is what counts.
        if attempting.cancelled() and self._reason is not None:
            raise self._reason
        return self._ended(attempting.result())

    async def look(self) -> None:
        """Write the step down, and end the attempt if there is a reason to."""
        try:
            await self._look()
        except StoreUnavailableError as error:
            log.warning("step not written", reason=str(error), **names(self.claim))
        except Exception as error:  # noqa: BLE001 - it ends the attempt, whatever it is
            self._reason = error
            if self._attempting is not None:
                self._attempting.cancel()

    def broken_off(self, code: Code) -> list[Attempted]:
        """Return the answer for all recipients of an attempt that ended for another reason."""
        return [self._broken_off(claimed, code) for claimed in self.claim.recipients]

    @property
    def seconds(self) -> float:
        """How long it has taken up to now."""
        return self._clock.monotonic() - self._started

    async def _in_force(self) -> RelaySettings:
        """Return the settings in force, which a test's are bound to be."""
        bound = self.claim.revision
        try:
            relay = await self._relay_of(self.claim.portal_id)
        except BrokenOffError as error:
            if bound is not None and error.revision != bound:
                raise BrokenOffError(Code.SETTINGS_CHANGED, error.revision) from error
            self._revision = error.revision
            raise
        if bound is not None and relay.revision != bound:
            raise BrokenOffError(Code.SETTINGS_CHANGED, relay.revision)
        return relay

    async def _is_in_force(self) -> bool:
        if self.claim.revision is None:
            return True
        try:
            await self._in_force()
        except BrokenOffError:
            return False
        return True

    async def _look(self) -> None:
        if self.seconds >= schedule.deadline_seconds(self.claim.kind) + _OVERRUN_SECONDS:
            log.error("attempt beyond its deadline", **names(self.claim))
            raise BrokenOffError(Code.INTERNAL)
        await self._progress.record()
        if not await self._is_in_force() and self._progress.step is not Step.DATA:
            raise BrokenOffError(Code.SETTINGS_CHANGED)

    def _ended(self, outcomes: Sequence[Outcome]) -> list[Attempted]:
        by_address = {outcome.recipient: outcome for outcome in outcomes}
        ended = []
        for claimed in self.claim.recipients:
            outcome = by_address.get(claimed.address)
            if outcome is None:
                log.error("attempt without an outcome", **names(self.claim))
                ended.append(self._broken_off(claimed, Code.INTERNAL))
            else:
                ended.append(self._with_outcome(claimed, outcome))
        return ended

    def _with_outcome(self, claimed: Claimed, outcome: Outcome) -> Attempted:
        relay = self.relay
        return Attempted(
            address=claimed.address,
            attempt=claimed.attempt,
            started_at=self._started_at,
            microseconds=round(self.seconds * MICROSECONDS),
            result=outcome.result,
            step=outcome.step,
            code=outcome.code,
            permanent=outcome.permanent,
            in_doubt=outcome.in_doubt,
            reply=outcome.reply,
            revision=outcome.revision,
            relay_host=None if relay is None else relay.host,
            relay_port=None if relay is None else relay.port,
            default_relay=None if relay is None else relay.policy_exempt,
            relay_address=outcome.address,
            tls=outcome.tls,
            warnings=outcome.warnings,
            relayed_untold=outcome.relayed_untold,
        )

    def _broken_off(self, claimed: Claimed, code: Code) -> Attempted:
        relay, step = self.relay, self._progress.step
        return Attempted(
            address=claimed.address,
            attempt=claimed.attempt,
            started_at=self._started_at,
            microseconds=round(self.seconds * MICROSECONDS),
            result=Result.DEFERRED,
            step=step or Step.RESOLVE,
            code=code,
            permanent=code in _NEEDS_A_PERSON,
            in_doubt=schedule.in_doubt(step),
            revision=self._revision,
            relay_host=None if relay is None else relay.host,
            relay_port=None if relay is None else relay.port,
            default_relay=None if relay is None else relay.policy_exempt,
        )


def names(claim: Claim) -> dict[str, str]:
    """Return what a line in the log says of a claim."""
    return {"portal_id": claim.portal_id, "message_id": claim.message_id, "claim": claim.id}
