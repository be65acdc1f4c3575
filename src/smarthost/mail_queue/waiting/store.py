"""Counts a portal's mail that waits, by pages of an index, between which others have their turn.

A hundred thousand rows take some hundredths of a second to count, a million some tenths, and reads
run on the event loop. Who looks often at a portal whose relay is away must not slow down the
others. What changes meanwhile is counted or not.
"""

import asyncio
from collections.abc import AsyncIterator

import msgspec

from smarthost.database.engine import Database

PAGE = 5_000
"""Rows that are counted before others have their turn."""

_PAGE_END = """
SELECT due_at, message_id FROM recipients
WHERE portal_id = $1 AND kind = 'mail' AND due_at IS NOT NULL AND (due_at, message_id) > ($2, $3)
ORDER BY due_at, message_id LIMIT 1 OFFSET $4"""
_IN_PAGE = """
SELECT count(*), count(CASE WHEN scheduled_at > $6 THEN 1 END),
       min(CASE WHEN scheduled_at > $6 THEN NULL ELSE message_id END)
FROM recipients
WHERE portal_id = $1 AND kind = 'mail' AND due_at IS NOT NULL AND (due_at, message_id) > ($2, $3)
  AND (due_at, message_id) <= ($4, $5)"""
_HELD_PAGE_END = """
SELECT message_id FROM recipients WHERE portal_id = $1 AND state = 'held' AND message_id > $2
ORDER BY message_id LIMIT 1 OFFSET $3"""
_HELD_IN_PAGE = """
SELECT count(*) FROM recipients
WHERE portal_id = $1 AND state = 'held' AND message_id > $2 AND message_id <= $3"""

Place = tuple[int, str]
"""A moment and a message's id, as the index of what is due has them."""

_FIRST, _LAST = (-(2**63), ""), (2**63 - 1, "~")
_FIRST_ID, _LAST_ID = "", "~"


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Recipients of a portal's mail that wait by themselves, or are being sent to."""

    count: int
    scheduled: int
    """Those of them that wait for the moment that the sender chose."""
    oldest: str | None
    """The oldest message with one that is not scheduled."""


async def count_waiting(database: Database, portal_id: str, now: int, page: int = PAGE) -> Waiting:
    """Count what waits at `now`, microseconds since 1970. Raises `StoreUnavailableError`."""
    count = scheduled = 0
    oldest: list[str] = []
    async for after, until in due_pages(database, portal_id, page):
        rows = await database.fetch(_IN_PAGE, portal_id, *after, *until, now)
        count += rows[0][0]
        scheduled += rows[0][1]
        oldest += [rows[0][2]] if rows[0][2] is not None else []
    return Waiting(count=count, scheduled=scheduled, oldest=min(oldest, default=None))


async def count_held(database: Database, portal_id: str, page: int = PAGE) -> int:
    """Count recipients that wait for a person. Raises `StoreUnavailableError`."""
    count, after = 0, _FIRST_ID
    while after != _LAST_ID:
        ends = await database.fetch(_HELD_PAGE_END, portal_id, after, page)
        until = ends[0][0] if ends else _LAST_ID
        rows = await database.fetch(_HELD_IN_PAGE, portal_id, after, until)
        count += rows[0][0]
        after = until
        await asyncio.sleep(0)
    return count


async def due_pages(
    database: Database, portal_id: str, page: int
) -> AsyncIterator[tuple[Place, Place]]:
    """Give the pages of what is due: each behind the one place, up to and with the other.

    A page has `page` rows and more where many have the same place.
    """
    after: Place = _FIRST
    while after != _LAST:
        ends = await database.fetch(_PAGE_END, portal_id, *after, page)
        until = (ends[0][0], ends[0][1]) if ends else _LAST
        yield after, until
        after = until
        await asyncio.sleep(0)
