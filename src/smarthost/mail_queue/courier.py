"""Carries what was claimed together to the relay, one message after the other.

Each message's outcome is handed to the store before the next one is begun, and the store writes
in that order: when it is on the disk that a message is about to leave, so is what became of the
one before. So a crash makes one message doubtful for each connection, and no more. What was not
begun when the batch breaks off, as it does once the portal is suspended, goes back as it was.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import structlog

from smarthost.clock import Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.delivery.outcome import Code
from smarthost.delivery.relay import RelaySettings
from smarthost.mail_queue.holds.model import fails_for_all, lifts, passes
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.model import Attempted, BrokenOffError, Claim, Kind
from smarthost.mail_queue.order import Known, Order
from smarthost.mail_queue.outcomes.model import Verdict
from smarthost.mail_queue.pace import Pace, Place, account_of
from smarthost.mail_queue.recording import Recording
from smarthost.mail_queue.store import ClaimLostError, QueueStore, SuspendedError
from smarthost.mail_queue.trip import Attempt, RelayOf, Trip, names
from smarthost.mail_queue.watch import Watch

log = structlog.get_logger("smarthost.mail_queue")

_COMPLAINTS = frozenset({Code.RELAY_UNAVAILABLE, Code.RATE_LIMITED})


class _Batch:
    """What was claimed together, while it is carried."""

    def __init__(self, claims: Sequence[Claim], place: Place | None) -> None:
        self.portal_id = claims[0].portal_id
        self.waiting = deque(claims)
        self.place = place
        """None for what is sent beside the portal's mail."""
        self.unused = 0
        self.outcome: Known | None = None
        self.recording: Recording | None = None
        self.proves_default = False
        self.hurried = False

    @property
    def is_stuck(self) -> bool:
        """Whether the store does not take the last outcome."""
        return self.recording is not None and self.recording.stuck

    def hurry(self) -> None:
        """Wait no longer for a store that takes nothing."""
        self.hurried = True
        if self.recording is not None:
            self.recording.hurry()


class Courier:
    """Makes the attempts of a worker."""

    def __init__(
        self,
        *,
        store: QueueStore,
        holds: HoldStore,
        relays: Mapping[Kind, RelayOf],
        attempt: Attempt,
        pace: Pace,
        clock: Clock,
        luck: Callable[[], float],
        ended: Callable[[Claim, RelaySettings | None, Sequence[Attempted]], None],
    ) -> None:
        """`relays` tells how the relay of each kind of message is found.

        `ended` is told what each attempt came to, before it is recorded, and by which relay.
        """
        self._store = store
        self._holds = holds
        self._relays = relays
        self._attempt = attempt
        self._pace = pace
        self._clock = clock
        self._luck = luck
        self._ended = ended
        self._order = Order(in_order=store.in_order)
        self._watch = Watch(clock)
        self._stopping = False

    def stop(self) -> None:
        """Begin no further message."""
        self._stopping = True

    async def learn_relay(self, portal_id: str) -> None:
        """Let the pace know where a portal's mail goes, unless it does.

        What is wrong with the settings is told by the attempt. Raises `StoreUnavailableError`.
        """
        if self._pace.knows(portal_id):
            return
        with contextlib.suppress(BrokenOffError):
            relay = await self._relays[Kind.MAIL](portal_id)
            self._pace.learn(portal_id, account_of(relay))

    async def carry(self, claims: Sequence[Claim], place: Place | None = None) -> None:
        """Make the attempts for messages of one claim, and record what they came to.

        `place` is what the pace keeps for them, and is given back at the end.
        """
        batch = _Batch(claims, place)
        try:
            while batch.waiting and await self._carry_next(batch):
                pass
        except asyncio.CancelledError:
            batch.hurry()
            raise
        finally:
            await self._end(batch)

    async def _carry_next(self, batch: _Batch) -> bool:
        """Carry one message; False if the batch breaks off behind it."""
        claim = batch.waiting.popleft()
        try:
            return await self._carry_one(batch, claim, self._trip(batch, claim))
        finally:
            if batch.outcome is not None:
                batch.outcome.let_go()
                batch.outcome = None

    def _trip(self, batch: _Batch, claim: Claim) -> Trip:
        def after_data() -> None:
            batch.outcome = self._order.known(claim.portal_id)

        return Trip(
            claim,
            self._store,
            self._relays[claim.kind],
            self._clock,
            self._watch,
            before_data=lambda: self._order.settle(claim.portal_id),
            after_data=after_data,
        )

    async def _carry_one(self, batch: _Batch, claim: Claim, trip: Trip) -> bool:
        goes_on = True
        try:
            # Reads of one turn of the loop may see a state from before this attempt began; what
            # was saved by then has to be seen.
            await asyncio.sleep(0)
            envelope = await self._store.envelope(claim)
            relay = await trip.find_relay()
            if await self._waits_with_others(batch, claim, relay):
                return False
            goes_on = self._goes_there(batch, relay)
            attempted = await trip.hand_over(relay, envelope, self._attempt)
        except SuspendedError:
            batch.waiting.appendleft(claim)
            return False
        except ClaimLostError:
            log.warning("lease ended during an attempt", **names(claim))
            return False
        except BrokenOffError as error:
            attempted = trip.broken_off(error.code)
        except StoreUnavailableError as error:
            log.warning("attempt broken off", reason=str(error), **names(claim))
            attempted = trip.broken_off(Code.INTERRUPTED)
            goes_on = False
        except asyncio.CancelledError:
            batch.hurry()
            await self._record(batch, trip, trip.broken_off(Code.INTERRUPTED), Verdict())
            raise
        except Exception:
            log.exception("attempt failed by a fault of our own", **names(claim))
            attempted = trip.broken_off(Code.INTERNAL)
        verdict = self._judge(batch, trip, attempted)
        goes_on = goes_on and not (verdict.breaks_off or batch.is_stuck or self._stopping)
        await self._record(batch, trip, attempted, verdict, goes_on=goes_on)
        return goes_on

    async def _waits_with_others(self, batch: _Batch, claim: Claim, relay: RelaySettings) -> bool:
        """Put a portal on hold whose default relay has just failed another one; True if so."""
        if claim.kind is not Kind.MAIL or claim.probe or not relay.policy_exempt:
            return False
        together = [claim, *batch.waiting]
        if not await self._store.join_hold(together, relay.revision):
            return False
        self._pace.held(claim.portal_id)
        batch.unused += len(together)
        batch.waiting.clear()
        return True

    def _goes_there(self, batch: _Batch, relay: RelaySettings) -> bool:
        """Take notice of the relay; False if the rest of the batch was claimed for another."""
        if batch.place is None:
            return True
        return not self._pace.found(batch.place, account_of(relay), self._clock.monotonic())

    def _judge(self, batch: _Batch, trip: Trip, attempted: Sequence[Attempted]) -> Verdict:
        """Return what an attempt says of the relay, and let the pace know."""
        batch.proves_default |= any(lifts(one) and one.default_relay for one in attempted)
        place, now = batch.place, self._clock.monotonic()
        if place is None:
            return Verdict()
        failed = next((one for one in attempted if fails_for_all(one)), None)
        if failed is not None and not (passes(failed) and self._pace.works(place, now)):
            self._pace.held(place.portal_id)
            return Verdict(holds=True)
        if failed is None and any(map(lifts, attempted)):
            self._pace.worked(place, now, trip.seconds)
        if failed is None and not any(one.code in _COMPLAINTS for one in attempted):
            return Verdict()
        self._pace.complained(place, now, self._luck())
        return Verdict(crowded=True)

    async def _record(
        self,
        batch: _Batch,
        trip: Trip,
        attempted: list[Attempted],
        verdict: Verdict,
        *,
        goes_on: bool = False,
    ) -> None:
        claim = trip.claim
        self._ended(claim, trip.relay, attempted)
        await self._finish_recording(batch)
        then = batch.waiting[0] if goes_on and batch.waiting else None
        batch.recording = Recording(
            self._store, self._clock, claim, attempted, verdict=verdict, then=then
        )
        if batch.hurried:
            batch.recording.hurry()
        if batch.outcome is not None:
            await batch.outcome.hand_over(batch.recording)
            batch.outcome = None

    async def _finish_recording(self, batch: _Batch) -> None:
        if batch.recording is None:
            return
        recorded = await batch.recording.done()
        batch.recording = None
        if recorded is not None and recorded.lifted:
            self._pace.lifted(batch.portal_id, self._clock.monotonic())
        if batch.proves_default:
            batch.proves_default = False
            await self._lift_default()

    async def _lift_default(self) -> None:
        try:
            lifted = await self._holds.lift_default()
        except StoreUnavailableError as error:
            log.warning("holds not lifted", reason=str(error))  # the next message does it
            return
        for portal_id in lifted:
            self._pace.lifted(portal_id, self._clock.monotonic())

    async def _end(self, batch: _Batch) -> None:
        left = list(batch.waiting)
        batch.unused += len(left)
        try:
            await self._finish_recording(batch)
            if left:
                await self._store.give_back(left)
        except StoreUnavailableError as error:
            log.warning("messages not given back", reason=str(error), **names(left[0]))
        finally:
            if batch.place is not None:
                self._pace.leave(batch.place, batch.unused)
