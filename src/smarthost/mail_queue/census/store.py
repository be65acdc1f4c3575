"""Counts what waits, of all portals together, without holding anybody up.

A million rows take some tenths of a second to count, and reads run on the event loop; a server is
asked over a network, for which thousands of portals are too many questions. So a thousand portals
are counted at once, unless that is more than a page of rows: then by halves, and one portal alone
by pages. Others have their turn in between; what changes meanwhile is counted or not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import Database
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.turns.store import due_turns, pages_of_portals
from smarthost.mail_queue.waiting.store import PAGE, count_held, due_pages

_DUE = """
SELECT count(*) FROM (
    SELECT 1 FROM recipients
    WHERE portal_id >= $1 AND portal_id <= $2 AND kind = 'mail' AND due_at IS NOT NULL LIMIT $3
) counted"""
_HELD = """
SELECT count(*) FROM (
    SELECT 1 FROM recipients
    WHERE portal_id >= $1 AND portal_id <= $2 AND state = 'held' LIMIT $3
) counted"""
_SENDING = """
SELECT count(*) FROM (
    SELECT 1 FROM recipients
    WHERE portal_id >= $1 AND portal_id <= $2 AND kind = 'mail' AND state = 'sending' LIMIT $3
) counted"""
_DUE_IN_PAGE = """
SELECT count(*) FROM recipients
WHERE portal_id = $1 AND kind = 'mail' AND due_at IS NOT NULL AND (due_at, message_id) > ($2, $3)
  AND (due_at, message_id) <= ($4, $5)"""
_SENDING_OF_ONE = """
SELECT count(*) FROM recipients WHERE portal_id = $1 AND kind = 'mail' AND state = 'sending'"""
_HOLDS = "SELECT count(*) FROM relay_holds WHERE portal_id > $1"
_HOLDS_OF_DEFAULT = "SELECT count(*) FROM relay_holds WHERE default_relay = 1"


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """What waits; recipients of portals' mail, but for the time and the holds."""

    queued: int
    sending: int
    held: int
    oldest_due_seconds: float
    """For how long the mail has been due that waits longest; 0: none is."""
    holds_of_own: int
    """Portals on hold whose relay is their own."""
    holds_of_default: int


class CensusStore:
    """Counts, as often as it is asked."""

    def __init__(self, database: Database, clock: Clock, page: int = PAGE) -> None:
        """`page` is how many rows are counted before others have their turn."""
        self._database = database
        self._clock = clock
        self._page = page

    async def take(self) -> Census:
        """Count. Raises `StoreUnavailableError`."""
        due = sending = held = 0
        held_of_one = partial(count_held, self._database, page=self._page)
        async for portals in pages_of_portals(self._database, Kind.MAIL):
            due += await self._count(portals, self._due_in, self._due_of_one)
            sending += await self._count(portals, self._sending_in, self._sending_of_one)
            held += await self._count(portals, self._held_in, held_of_one)
        of_default = (await self._database.fetch(_HOLDS_OF_DEFAULT))[0][0]
        return Census(
            # Counted one after the other: what is sent by now may have been due before.
            queued=max(0, due - sending),
            sending=sending,
            held=held,
            oldest_due_seconds=await self._oldest_due_seconds(),
            holds_of_own=(await self._database.fetch(_HOLDS, ""))[0][0] - of_default,
            holds_of_default=of_default,
        )

    async def _count(
        self,
        portals: Sequence[str],
        count_in: Callable[[str, str], Awaitable[int]],
        count_of_one: Callable[[str], Awaitable[int]],
    ) -> int:
        """Count the rows of some portals; `count_in` tells of more than a page that it is more."""
        await asyncio.sleep(0)
        count = await count_in(portals[0], portals[-1])
        if count <= self._page:
            return count
        if len(portals) == 1:
            return await count_of_one(portals[0])
        middle = len(portals) // 2
        halves = (portals[:middle], portals[middle:])
        return sum([await self._count(half, count_in, count_of_one) for half in halves])

    async def _due_in(self, first: str, last: str) -> int:
        return int((await self._database.fetch(_DUE, first, last, self._page + 1))[0][0])

    async def _held_in(self, first: str, last: str) -> int:
        return int((await self._database.fetch(_HELD, first, last, self._page + 1))[0][0])

    async def _sending_in(self, first: str, last: str) -> int:
        return int((await self._database.fetch(_SENDING, first, last, self._page + 1))[0][0])

    async def _sending_of_one(self, portal_id: str) -> int:
        return int((await self._database.fetch(_SENDING_OF_ONE, portal_id))[0][0])

    async def _due_of_one(self, portal_id: str) -> int:
        count = 0
        async for after, until in due_pages(self._database, portal_id, self._page):
            rows = await self._database.fetch(_DUE_IN_PAGE, portal_id, *after, *until)
            count += rows[0][0]
        return count

    async def _oldest_due_seconds(self) -> float:
        now = self._clock.now()
        turns = await due_turns(self._database, Kind.MAIL, now, at_most=1)
        return (now - turns[0].due_at) / MICROSECONDS if turns else 0.0
