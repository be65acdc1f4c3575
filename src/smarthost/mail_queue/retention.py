"""Removes what has been kept for long enough, a little at a time.

Contents go first, since they are large and private; the rows that tell what became of a message
stay for a month. Mail that has not ended is never touched, however old it is. What may be old is
asked for of many portals at once, and removed portal by portal.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import structlog

from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.ids import before_ids_of
from smarthost.mail_queue.removal.store import RemovalStore
from smarthost.mail_queue.rounds.store import Kept, Rounds, Some
from smarthost.mail_queue.statistics.store import StatisticsStore

log = structlog.get_logger("smarthost.mail_queue")

SWEEP_SECONDS = 300.0
"""How long after the end of one sweep the next begins."""

ROWS_SECONDS = 30 * 24 * 60 * 60
KEYS_SECONDS = 8 * 24 * 60 * 60
COUNTS_SECONDS = 400 * 24 * 60 * 60
"""What became of mail, in numbers: so that a month can be seen beside that of the year before."""

PAGE = 500
"""How many rows go in one turn."""


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """How many seconds things are kept after the last recipient has ended."""

    sent: int
    """The content of a message that all recipients have."""
    failed: int
    """The content of any other message."""

    @property
    def rows(self) -> int:
        """A message as a whole: at least as long as its content."""
        return max(ROWS_SECONDS, self.sent, self.failed)


class Retention:
    """Sweeps all portals every few minutes, for as long as `run` runs."""

    def __init__(
        self,
        database: Database,
        keep: Keep,
        clock: Clock,
        is_ours: Callable[[], bool],
    ) -> None:
        """`is_ours` tells whether this process is the one that delivers: one sweeps, not all."""
        self._rounds = Rounds(database)
        self._store = RemovalStore(database)
        self._statistics = StatisticsStore(database)
        self._keep = keep
        self._clock = clock
        self._is_ours = is_ours

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self._clock.sleep(SWEEP_SECONDS)
            if not self._is_ours():
                continue
            try:
                await self.sweep()
            except StoreUnavailableError as error:
                log.warning("old mail not removed", reason=str(error))
            except Exception:
                log.exception("old mail not removed by a fault of our own")

    async def sweep(self) -> None:
        """Remove all that has been kept for long enough. Raises `StoreUnavailableError`."""
        now = self._clock.now()
        async for some in self._rounds.portals():
            await self._drop_bodies(some, now)
            await self._remove_messages(some, now)
            await self._remove_keys(some, now)
            await self._remove_counts(some, now)

    async def _drop_bodies(self, some: Some, now: int) -> None:
        until = _after_ids_of(now - min(self._keep.sent, self._keep.failed) * MICROSECONDS)
        async for portal_id, page in self._rounds.bodies(some, until):
            old = [one.message_id for one in page if self._is_content_old(one, now)]
            if old:
                await self._store.drop_bodies(portal_id, old)

    async def _remove_messages(self, some: Some, now: int) -> None:
        last_kept = now - self._keep.rows * MICROSECONDS
        until = _after_ids_of(last_kept)
        async for portal_id, page in self._rounds.messages(some, until):
            old = [one for one in page if one.ended and one.ended_at <= last_kept]
            for batch in _batches(old):
                await self._store.remove_messages(portal_id, batch)

    async def _remove_keys(self, some: Some, now: int) -> None:
        until = now - KEYS_SECONDS * MICROSECONDS
        for portal_id in await self._rounds.with_keys(some, until):
            more = True
            while more:
                more = await self._store.remove_keys(portal_id, until, PAGE)
                await asyncio.sleep(0)

    async def _remove_counts(self, some: Some, now: int) -> None:
        until = now - COUNTS_SECONDS * MICROSECONDS
        for portal_id in await self._rounds.with_counts(some, until):
            more = True
            while more:
                more = await self._statistics.remove(portal_id, until, PAGE)
                await asyncio.sleep(0)

    def _is_content_old(self, one: Kept, now: int) -> bool:
        kept = self._keep.sent if one.sent else self._keep.failed
        return one.ended and one.ended_at + kept * MICROSECONDS <= now


def _after_ids_of(at: int) -> str:
    """Return what comes after all ids that were made at the moment `at` or earlier."""
    return before_ids_of(max(at, 0) + 1_000)


def _batches(old: Sequence[Kept]) -> list[list[str]]:
    """Part messages so that no batch has many more recipients than a page."""
    batches: list[list[str]] = []
    room = 0
    for one in old:
        if room <= 0:
            batches.append([])
            room = PAGE
        batches[-1].append(one.message_id)
        room -= one.recipients
    return batches
