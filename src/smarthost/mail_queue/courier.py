"""Carries one claim from the settings in force to the recorded outcome.

The settings are read at the last moment, so that what was just saved is what is used. However an
attempt ends, by an outcome, a fault of ours or a stop of the service, each recipient gets a row
that tells of it; only when the store cannot be written is that left to the end of the lease.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn, Protocol

import structlog

from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.delivery.outcome import Code, Outcome, Report, Result, Step
from smarthost.delivery.relay import RelaySettings
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue import schedule
from smarthost.mail_queue.model import Attempted, BrokenOffError, Claim, Claimed
from smarthost.mail_queue.progress import ClaimLostError, Progress
from smarthost.mail_queue.store import QueueStore

log = structlog.get_logger("smarthost.mail_queue")

FOLLOW_SECONDS = 0.25
"""How often a running attempt's step is written down and, for a test, its settings looked at."""

_OVERRUN_SECONDS = 5.0
_RECORD_TRIES = 30
_RECORD_AGAIN_SECONDS = 1.0
_NEEDS_A_PERSON = frozenset({Code.NO_RELAY, Code.SETTINGS_CHANGED, Code.PASSWORD_UNREADABLE})

RelayOf = Callable[[str], Awaitable[RelaySettings | None]]
"""Reads the settings in force for a portal now; None: no relay is.

Raises `StoreUnavailableError`, and `BrokenOffError` with `PASSWORD_UNREADABLE`.
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
    ) -> Sequence[Outcome]:
        """Return what became of each recipient."""
        ...


class _Trip:
    """What is known of one attempt while it runs."""

    def __init__(self, claim: Claim, progress: Progress, started: float) -> None:
        self.claim = claim
        self.progress = progress
        self.started = started
        self.relay: RelaySettings | None = None


class Courier:
    """Makes the attempts of a worker."""

    def __init__(
        self, store: QueueStore, relay_of: RelayOf, attempt: Attempt, clock: Clock
    ) -> None:
        self._store = store
        self._relay_of = relay_of
        self._attempt = attempt
        self._clock = clock

    async def carry(self, claim: Claim) -> None:
        """Make the attempt that `claim` was taken for, and record what it came to."""
        progress = Progress(self._store, claim, lambda: self._in_force(claim))
        trip = _Trip(claim, progress, self._clock.monotonic())
        try:
            outcomes = await self._outcomes(trip)
        except ClaimLostError:
            log.warning("lease ended during an attempt", **_names(claim))
        except BrokenOffError as error:
            await self._record_broken_off(trip, error.code)
        except StoreUnavailableError as error:
            log.warning("attempt broken off", reason=str(error), **_names(claim))
            await self._record_broken_off(trip, Code.INTERRUPTED)
        except asyncio.CancelledError:
            await self._record_broken_off(trip, Code.INTERRUPTED, tries=1)
            raise
        except Exception:
            log.exception("attempt failed by a fault of our own", **_names(claim))
            await self._record_broken_off(trip, Code.INTERNAL)
        else:
            await self._record(trip, self._ended(trip, outcomes))

    async def _outcomes(self, trip: _Trip) -> Sequence[Outcome]:
        claim = trip.claim
        trip.relay = await self._relay_of(claim.portal_id)
        if not _bound_to(claim, trip.relay):
            raise BrokenOffError(Code.SETTINGS_CHANGED)
        if trip.relay is None:
            raise BrokenOffError(Code.NO_RELAY)
        attempting = asyncio.ensure_future(
            self._attempt(
                trip.relay,
                [await self._store.envelope(claim)],
                report=trip.progress.report,
                deadline_seconds=schedule.deadline_seconds(claim.kind),
            )
        )
        following = asyncio.ensure_future(self._follow(trip))
        try:
            await asyncio.wait((attempting, following), return_when=asyncio.FIRST_COMPLETED)
        finally:
            attempting.cancel()
            following.cancel()
            await asyncio.gather(attempting, following, return_exceptions=True)
        # What was cancelled may have come to its end all the same: then that is what counts.
        if attempting.cancelled():
            following.result()
        return attempting.result()

    async def _follow(self, trip: _Trip) -> NoReturn:
        """Write steps down until there is a reason to end the attempt, and raise that."""
        claim, progress = trip.claim, trip.progress
        allowed = schedule.deadline_seconds(claim.kind) + _OVERRUN_SECONDS
        while self._clock.monotonic() - trip.started < allowed:
            await self._clock.sleep(FOLLOW_SECONDS)
            try:
                await progress.record()
                in_force = await self._in_force(claim)
            except StoreUnavailableError as error:
                log.warning("step not written", reason=str(error), **_names(claim))
                continue
            if not in_force and progress.step is not Step.DATA:
                raise BrokenOffError(Code.SETTINGS_CHANGED)
        log.error("attempt beyond its deadline", **_names(claim))
        raise BrokenOffError(Code.INTERNAL)

    async def _in_force(self, claim: Claim) -> bool:
        return claim.revision is None or _bound_to(claim, await self._relay_of(claim.portal_id))

    def _ended(self, trip: _Trip, outcomes: Sequence[Outcome]) -> list[Attempted]:
        by_address = {outcome.recipient: outcome for outcome in outcomes}
        ended = []
        for claimed in trip.claim.recipients:
            outcome = by_address.get(claimed.address)
            if outcome is None:
                log.error("attempt without an outcome", **_names(trip.claim))
                ended.append(self._broken_off(trip, claimed, Code.INTERNAL))
            else:
                ended.append(self._with_outcome(trip, claimed, outcome))
        return ended

    def _with_outcome(self, trip: _Trip, claimed: Claimed, outcome: Outcome) -> Attempted:
        relay = trip.relay
        return Attempted(
            address=claimed.address,
            attempt=claimed.attempt,
            started_at=trip.claim.started_at,
            microseconds=self._since(trip.started),
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
        )

    def _broken_off(self, trip: _Trip, claimed: Claimed, code: Code) -> Attempted:
        relay, step = trip.relay, trip.progress.step
        return Attempted(
            address=claimed.address,
            attempt=claimed.attempt,
            started_at=trip.claim.started_at,
            microseconds=self._since(trip.started),
            result=Result.DEFERRED,
            step=step or Step.RESOLVE,
            code=code,
            permanent=code in _NEEDS_A_PERSON,
            in_doubt=schedule.in_doubt(step),
            revision=trip.claim.revision if relay is None else relay.revision,
            relay_host=None if relay is None else relay.host,
            relay_port=None if relay is None else relay.port,
            default_relay=None if relay is None else relay.policy_exempt,
        )

    async def _record_broken_off(
        self, trip: _Trip, code: Code, tries: int = _RECORD_TRIES
    ) -> None:
        recipients = trip.claim.recipients
        await self._record(trip, [self._broken_off(trip, one, code) for one in recipients], tries)

    async def _record(
        self, trip: _Trip, attempted: list[Attempted], tries: int = _RECORD_TRIES
    ) -> None:
        for _ in range(tries):
            try:
                if not await self._store.record(trip.claim, attempted):
                    log.warning("outcome came after the lease", **_names(trip.claim))
            except StoreUnavailableError as error:
                log.warning("outcome not written", reason=str(error), **_names(trip.claim))
                await self._clock.sleep(_RECORD_AGAIN_SECONDS)
            else:
                return

    def _since(self, started: float) -> int:
        return round((self._clock.monotonic() - started) * MICROSECONDS)


def _bound_to(claim: Claim, relay: RelaySettings | None) -> bool:
    """Tell whether these settings are the ones that a test is bound to; mail takes any."""
    return claim.revision is None or (relay is not None and relay.revision == claim.revision)


def _names(claim: Claim) -> dict[str, str]:
    return {"portal_id": claim.portal_id, "message_id": claim.message_id, "claim": claim.id}
