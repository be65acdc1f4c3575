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

_DUE_PAGE_END = """
SELECT due_at, message_id FROM recipients
WHERE portal_id = $1 AND kind = 'mail' AND due_at IS NOT NULL AND (due_at, message_id) > ($2, $3)
ORDER BY due_at, message_id LIMIT 1 OFFSET $4"""
_DUE_IN_PAGE = """
SELECT count(*) FROM recipients
WHERE portal_id = $1 AND kind = 'mail' AND due_at IS NOT NULL AND (due_at, message_id) > ($2, $3)
  AND (due_at, message_id) <= ($4, $5)"""
_SENDING = """
SELECT count(*) FROM recipients WHERE portal_id = $1 AND kind = 'mail' AND state = 'sending'"""
_HELD_PAGE_END = """
SELECT message_id FROM recipients WHERE portal_id = $1 AND state = 'held' AND message_id > $2
ORDER BY message_id LIMIT 1 OFFSET $3"""
_HELD_IN_PAGE = """
SELECT count(*) FROM recipients
WHERE portal_id = $1 AND state = 'held' AND message_id > $2 AND message_id <= $3"""
_HOLDS = "SELECT count(*) FROM relay_holds WHERE portal_id > $1"
_HOLDS_OF_DEFAULT = "SELECT count(*) FROM relay_holds WHERE default_relay = 1"

_PAGE = 5_000
_FIRST_DUE, _LAST_DUE = (-(2**63), ""), (2**63 - 1, "~")
_FIRST_ID, _LAST_ID = "", "~"


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

    def __init__(self, database: Database, clock: Clock, page: int = _PAGE) -> None:
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
            held += await self._held(portal_id)
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
        count, after = 0, _FIRST_DUE
        while after != _LAST_DUE:
            ends = await self._database.fetch(_DUE_PAGE_END, portal_id, *after, self._page)
            until = ends[0] if ends else _LAST_DUE
            rows = await self._database.fetch(_DUE_IN_PAGE, portal_id, *after, *until)
            count += rows[0][0]
            after = until
            await asyncio.sleep(0)
        return count

    async def _held(self, portal_id: str) -> int:
        count, after = 0, _FIRST_ID
        while after != _LAST_ID:
            ends = await self._database.fetch(_HELD_PAGE_END, portal_id, after, self._page)
            until = ends[0][0] if ends else _LAST_ID
            rows = await self._database.fetch(_HELD_IN_PAGE, portal_id, after, until)
            count += rows[0][0]
            after = until
            await asyncio.sleep(0)
        return count

    async def _oldest_due_seconds(self) -> float:
        now = self._clock.now()
        turns = await due_turns(self._database, Kind.MAIL, now, at_most=1)
        return (now - turns[0].due_at) / MICROSECONDS if turns else 0.0
