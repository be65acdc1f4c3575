"""Counts what waits, of all portals together, without holding anybody up.

A million rows take some tenths of a second to count, and reads run on the event loop. So they are
counted by pages of an index, and others have their turn in between; what changes meanwhile is
counted or not.
"""

import asyncio

import msgspec

from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import Database
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.turns.store import all_portals, due_turns
from smarthost.mail_queue.waiting.store import PAGE, count_held, due_pages

_DUE_IN_PAGE = """
SELECT count(*) FROM recipients
WHERE portal_id = $1 AND kind = 'mail' AND due_at IS NOT NULL AND (due_at, message_id) > ($2, $3)
  AND (due_at, message_id) <= ($4, $5)"""
_SENDING = """
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
        async for portal_id in all_portals(self._database, Kind.MAIL):
            due += await self._due(portal_id)
            sending += (await self._database.fetch(_SENDING, portal_id))[0][0]
            held += await count_held(self._database, portal_id, self._page)
            await asyncio.sleep(0)
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

    async def _due(self, portal_id: str) -> int:
        count = 0
        async for after, until in due_pages(self._database, portal_id, self._page):
            rows = await self._database.fetch(_DUE_IN_PAGE, portal_id, *after, *until)
            count += rows[0][0]
        return count

    async def _oldest_due_seconds(self) -> float:
        now = self._clock.now()
        turns = await due_turns(self._database, Kind.MAIL, now, at_most=1)
        return (now - turns[0].due_at) / MICROSECONDS if turns else 0.0
