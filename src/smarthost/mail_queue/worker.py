"""Takes what is due and has it carried, as long as this process holds the delivery lock.

It is woken when this process accepts something and looks by itself twice a second, since another
process's messages wake nobody here. Tests go first and have places of their own: no flood of mail
delays an administrator's proof. Mail is claimed only where the pace has room for it.
"""

import asyncio

import structlog

from smarthost.clock import Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.mail_queue.courier import Courier
from smarthost.mail_queue.lock import Lock
from smarthost.mail_queue.model import Claim, Kind
from smarthost.mail_queue.pace import AT_ONCE, Pace, Place
from smarthost.mail_queue.recovery import Recovery
from smarthost.mail_queue.ring import PAGE, Ring
from smarthost.mail_queue.store import QueueStore

log = structlog.get_logger("smarthost.mail_queue")

BESIDE_AT_ONCE = {Kind.TEST: 50, Kind.NOTICE: 4}
"""How many messages are carried at the same time that are not the portals' own mail."""

POLL_SECONDS = 0.5
LOCK_SECONDS = 1.0
"""How often a worker without the delivery lock tries to take it."""

STOP_SECONDS = 5.0
"""How long attempts that run may go on when the worker stops."""


class Worker:
    """Carries the queue's messages from `run` to `stop`."""

    def __init__(
        self,
        *,
        store: QueueStore,
        courier: Courier,
        recovery: Recovery,
        pace: Pace,
        lock: Lock,
        clock: Clock,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._store = store
        self._courier = courier
        self._recovery = recovery
        self._pace = pace
        self._lock = lock
        self._clock = clock
        self._stop_seconds = stop_seconds
        self._ring = Ring(store)
        self._carried: dict[asyncio.Task[None], Claim] = {}
        self._woken = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look for due messages now."""
        self._woken.set()

    def stop(self) -> None:
        """Take nothing new; `run` returns when what is carried has ended or was broken off."""
        self._stopping = True
        self._courier.stop()
        self._woken.set()

    async def run(self) -> None:
        """Wait for the delivery lock, then work until `stop`."""
        try:
            while not self._stopping:
                if await self._take_lock():
                    await self._work()
                else:
                    await self._rest(LOCK_SECONDS)
        finally:
            await self._end_carried()
            await self._lock.give_up()

    async def _take_lock(self) -> bool:
        try:
            return await self._lock.take()
        except StoreUnavailableError as error:
            log.warning("no delivery lock", reason=str(error))
            return False

    async def _work(self) -> None:
        """Work until `stop`, or until the lock is lost; what is carried then goes on."""
        log.info("delivering")
        taken_over = False
        while not self._stopping and self._lock.is_held:
            self._woken.clear()
            try:
                if not taken_over:
                    await self._recovery.take_over()
                    taken_over = True
                await self._recovery.look_at_clock()
                started = await self._claim_due()
            except StoreUnavailableError as error:
                log.warning("queue not read", reason=str(error))
                started = False
            if not started:
                await self._rest(POLL_SECONDS)

    async def _claim_due(self) -> bool:
        """Start what is due and has room; False if there was nothing to start."""
        started = False
        for kind, at_once in BESIDE_AT_ONCE.items():
            room = at_once - self._count(kind)
            for turn in await self._store.due_turns(kind, at_most=room):
                claims = await self._store.claim(turn.portal_id, kind, self._own())
                if claims:
                    self._start(claims, None)
                    started = True
        return await self._claim_mail() or started

    async def _claim_mail(self) -> bool:
        """Go round the portals until there is no room, or nobody has anything that is due."""
        started = False
        while not self._stopping:
            places = await self._reserve(AT_ONCE - self._count(Kind.MAIL))
            # Side by side, so that they share a commit.
            claiming = (self._claim(place) for place in places)
            if not any(await asyncio.gather(*claiming)):
                break
            started = True
        return started

    async def _reserve(self, at_most: int) -> list[Place]:
        """Reserve places for the portals that come next, at most one each."""
        places: list[Place] = []
        visited: set[str] = set()
        # So many that have no room keep nobody from being found: the next look goes on from here.
        for _ in range(PAGE):
            if len(places) >= at_most:
                break
            portal_id = await self._ring.next()
            if portal_id is None or portal_id in visited:
                break
            visited.add(portal_id)
            await self._courier.learn_relay(portal_id)
            place = self._pace.reserve(portal_id, self._clock.monotonic())
            if place is not None:
                places.append(place)
        return places

    async def _claim(self, place: Place) -> bool:
        """Claim mail for a place and start it; False, and the place given back, for none."""
        claims: list[Claim] = []
        try:
            claims = await self._store.claim(
                place.portal_id, Kind.MAIL, self._own(), at_most=place.room
            )
        except StoreUnavailableError as error:
            log.warning("mail not claimed", reason=str(error))
        finally:
            if not claims:
                self._pace.leave(place, place.room)
        if claims:
            self._pace.took(place, len(claims), probe=claims[0].probe)
            self._start(claims, place)
        return bool(claims)

    def _own(self) -> set[str]:
        return {claim.id for claim in self._carried.values()}

    def _count(self, kind: Kind) -> int:
        return sum(claim.kind is kind for claim in self._carried.values())

    def _start(self, claims: list[Claim], place: Place | None) -> None:
        task = asyncio.create_task(self._courier.carry(claims, place))
        self._carried[task] = claims[0]
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        claim = self._carried.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("outcome lost", message_id=claim.message_id, exc_info=error)
        self._woken.set()  # there is room again

    async def _rest(self, seconds: float) -> None:
        waits = (
            asyncio.ensure_future(self._woken.wait()),
            asyncio.ensure_future(self._clock.sleep(seconds)),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _end_carried(self) -> None:
        if not self._carried:
            return
        tasks = set(self._carried)
        _, late = await asyncio.wait(tasks, timeout=self._stop_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
