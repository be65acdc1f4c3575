"""Writes one outcome down beside whatever goes on, again and again until the store takes it.

Only when the store cannot be written at all is it left to the end of the lease.
"""

import asyncio
from collections.abc import Callable

import structlog

from smarthost.clock import Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.mail_queue.model import Attempted, Claim
from smarthost.mail_queue.outcomes.model import Recorded, Verdict
from smarthost.mail_queue.store import QueueStore
from smarthost.mail_queue.trip import names

log = structlog.get_logger("smarthost.mail_queue")

_TRIES = 30
_AGAIN_SECONDS = 1.0


class Recording:
    """One outcome on its way to the disk, from the moment that this is made."""

    def __init__(
        self,
        store: QueueStore,
        clock: Clock,
        claim: Claim,
        attempted: list[Attempted],
        *,
        verdict: Verdict,
        then: Claim | None,
    ) -> None:
        """`then` is the message that is begun together with this."""
        self._store = store
        self._clock = clock
        self._claim = claim
        self._attempted = attempted
        self._verdict = verdict
        self._then = then
        self._tries = _TRIES
        self._rest: asyncio.Future[None] | None = None
        self.stuck = False
        """The store did not take it at first."""
        self._task = asyncio.create_task(self._run())

    async def done(self) -> Recorded | None:
        """Wait for the end and return what came of it, None if it was given up.

        A cancellation ends the wait alone.
        """
        return await asyncio.shield(self._task)

    def when_done(self, call: Callable[[], None]) -> None:
        """Call this when nothing is tried any more."""
        self._task.add_done_callback(lambda _: call())

    def hurry(self) -> None:
        """Try no more than once from now on."""
        self._tries = 0
        if self._rest is not None:
            self._rest.cancel()

    async def _run(self) -> Recorded | None:
        tried = 0
        while True:
            recorded = await self._try()
            if recorded is not None:
                return recorded
            self.stuck = True
            tried += 1
            if tried >= self._tries:
                return None
            self._rest = asyncio.ensure_future(self._clock.sleep(_AGAIN_SECONDS))
            await asyncio.wait({self._rest})

    async def _try(self) -> Recorded | None:
        try:
            recorded = await self._store.record(
                self._claim, self._attempted, self._verdict, then=self._then
            )
        except StoreUnavailableError as error:
            log.warning("outcome not written", reason=str(error), **names(self._claim))
            return None
        if not recorded.kept:
            log.warning("outcome came after the lease", **names(self._claim))
        return recorded
