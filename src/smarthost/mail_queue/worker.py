"""Takes what is due and has it carried, as long as this process holds the delivery lock.

It is woken when this process accepts something and looks by itself twice a second, since another
process's messages wake nobody here. Tests go first and have places of their own: no flood of mail
delays an administrator's proof.
"""

import asyncio

import structlog

from smarthost.clock import Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.mail_queue.courier import Courier
from smarthost.mail_queue.lock import DeliveryLock
from smarthost.mail_queue.model import Claim, Kind
from smarthost.mail_queue.store import QueueStore

log = structlog.get_logger("smarthost.mail_queue")

AT_ONCE = 50
"""How many messages of one kind are carried at the same time."""

POLL_SECONDS = 0.5
LOCK_SECONDS = 1.0
"""How often a worker without the delivery lock tries to take it."""

STOP_SECONDS = 5.0
"""How long attempts that run may go on when the worker stops."""


class Worker:
    """Carries the queue's messages from `run` to `stop`."""

    def __init__(
        self,
        store: QueueStore,
        courier: Courier,
        lock: DeliveryLock,
        clock: Clock,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._store = store
        self._courier = courier
        self._lock = lock
        self._clock = clock
        self._stop_seconds = stop_seconds
        self._carried: dict[asyncio.Task[None], Claim] = {}
        self._woken = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look for due messages now."""
        self._woken.set()

    def stop(self) -> None:
        """Take nothing new; `run` returns when what is carried has ended or was broken off."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Wait for the delivery lock, then work until `stop`."""
        while not self._stopping:
            if self._take_lock():
                await self._work()
            else:
                await self._rest(LOCK_SECONDS)

    def _take_lock(self) -> bool:
        try:
            return self._lock.acquire()
        except StoreUnavailableError as error:
            log.warning("no delivery lock", reason=str(error))
            return False

    async def _work(self) -> None:
        log.info("delivering")
        try:
            while not self._stopping:
                self._woken.clear()
                if not await self._claim_due():
                    await self._rest(POLL_SECONDS)
        finally:
            await self._end_carried()
            self._lock.release()

    async def _claim_due(self) -> bool:
        """Start what is due and has room; False if there was nothing to start."""
        started = False
        try:
            for kind in (Kind.TEST, Kind.MAIL):
                for portal_id in await self._store.due_portals(kind, self._room(kind)):
                    own = {claim.id for claim in self._carried.values()}
                    claim = await self._store.claim(portal_id, kind, own)
                    if claim is not None:
                        self._start(claim)
                        started = True
        except StoreUnavailableError as error:
            log.warning("queue not read", reason=str(error))
            return False
        return started

    def _room(self, kind: Kind) -> int:
        return AT_ONCE - sum(claim.kind is kind for claim in self._carried.values())

    def _start(self, claim: Claim) -> None:
        task = asyncio.create_task(self._courier.carry(claim))
        self._carried[task] = claim
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
