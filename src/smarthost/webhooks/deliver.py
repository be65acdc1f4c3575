"""Delivers events to receivers, from `run` to `stop`.

Each portal has one delivery under way at most, so that its receiver gets events one after the
other, in their order as long as nothing fails, and a slow one holds up nobody else. An event goes
when the receiver has taken it and not before: one whose answer was lost comes again, under the
same id.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.webhooks.model import FailedTry, NoAnswerError, NotTaken, Target, Waiting
from smarthost.webhooks.signing import signed_headers
from smarthost.webhooks.waiting.store import WaitingEvents

log = structlog.get_logger("smarthost.webhooks")

AT_ONCE = 16
"""How many portals' receivers are called at the same time."""
POLL_SECONDS = 1.0
STOP_SECONDS = 2.0
"""How long deliveries under way may go on when this stops."""

_IN_A_ROW = 20
_GONE = 410


class Post(Protocol):
    """Sends events, as `post.Poster` does."""

    async def post(self, url: str, headers: Sequence[tuple[bytes, bytes]], payload: bytes) -> int:
        """Return the status of the answer. Raises `NoAnswerError`."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


Called = Callable[[NotTaken | None], None]
"""Is told what became of an event that was sent; None: the receiver has it."""


def _nobody(_failure: NotTaken | None) -> None:
    """Count nothing."""


class WebhookDelivery:
    """Calls receivers as long as it runs."""

    def __init__(
        self,
        events: WaitingEvents,
        open_post: Callable[[], Post],
        clock: Clock,
        random: Callable[[], float],
        is_ours: Callable[[], bool],
        stop_seconds: float = STOP_SECONDS,
        called: Called = _nobody,
    ) -> None:
        """`open_post` is called when there is something to send; `random` gives 0 to 1.

        `is_ours` tells whether this process is the one that delivers.
        """
        self._events = events
        self._open_post = open_post
        self._clock = clock
        self._random = random
        self._is_ours = is_ours
        self._stop_seconds = stop_seconds
        self._called = called
        self._post: Post | None = None
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._stopping = False

    def stop(self) -> None:
        """Begin no delivery any more; `run` returns when those under way have ended."""
        self._stopping = True
        self._woken.set()

    async def run(self) -> None:
        """Deliver what is due, until `stop`."""
        try:
            while not self._stopping:
                self._woken.clear()
                if self._is_ours():
                    await self._call_due()
                await self._rest()
        finally:
            await self._end()

    async def _call_due(self) -> None:
        try:
            portals = await self._events.due_portals(AT_ONCE + len(self._calls))
        except StoreUnavailableError as error:
            log.warning("webhooks not read", reason=str(error))
            return
        for portal_id in portals:
            if len(self._calls) < AT_ONCE and portal_id not in self._calls:
                call = asyncio.create_task(self._call(portal_id), name=portal_id)
                self._calls[portal_id] = call
                call.add_done_callback(self._ended)

    def _ended(self, call: asyncio.Task[None]) -> None:
        del self._calls[call.get_name()]
        if not call.cancelled() and (error := call.exception()) is not None:
            if isinstance(error, StoreUnavailableError):
                # Not at once again: the next look comes soon enough.
                log.warning("webhook delivery not noted", reason=str(error))
                return
            log.error("webhook delivery failed by a fault of our own", exc_info=error)
            return
        self._woken.set()

    async def _call(self, portal_id: str) -> None:
        """Deliver some of a portal's events, up to the first that is not taken."""
        target = await self._events.target(portal_id)
        events = [] if target is None else await self._events.due_events(portal_id, _IN_A_ROW)
        if target is None or not events:
            await self._events.settle(portal_id)
            return
        for event in events:
            if self._stopping or await self._events.is_suspended(portal_id):
                return
            if not await self._deliver(target, event):
                return

    async def _deliver(self, target: Target, event: Waiting) -> bool:
        failed = await self._try(target, event)
        self._called(None if failed is None else failed.failure)
        if failed is None:
            await self._events.taken(target, event)
            return True
        names = {"portal_id": target.portal_id, "event_id": event.id, "reason": failed.failure}
        if failed.failure is NotTaken.GONE:
            await self._events.switch_off(target, failed)
            log.warning("webhook switched off by its receiver", **names)
            return False
        dropped = await self._events.put_off(target, event, failed, self._random())
        log.info("webhook event not taken", status=failed.status, **names)
        if dropped:
            log.warning("webhook events given up after a day", count=dropped, **names)
        return False

    async def _try(self, target: Target, event: Waiting) -> FailedTry | None:
        """Send an event once; None: the receiver has it."""
        if target.secret is None:
            return self._failed(NotTaken.SECRET_UNREADABLE)
        headers = signed_headers(
            target.secret,
            event_id=event.id,
            at_seconds=self._clock.now() // MICROSECONDS,
            payload=event.payload,
        )
        if self._post is None:
            self._post = self._open_post()
        try:
            status = await self._post.post(target.url, headers, event.payload)
        except NoAnswerError as error:
            return self._failed(error.failure)
        if 200 <= status < 300:
            return None
        return self._failed(NotTaken.GONE if status == _GONE else NotTaken.REFUSED, status)

    def _failed(self, failure: NotTaken, status: int | None = None) -> FailedTry:
        return FailedTry(at=self._clock.now(), failure=failure, status=status)

    async def _rest(self) -> None:
        waits = (
            asyncio.ensure_future(self._woken.wait()),
            asyncio.ensure_future(self._clock.sleep(POLL_SECONDS)),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _end(self) -> None:
        calls = set(self._calls.values())
        if calls:
            _, late = await asyncio.wait(calls, timeout=self._stop_seconds)
            for call in late:
                call.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._post is not None:
            await self._post.close()
