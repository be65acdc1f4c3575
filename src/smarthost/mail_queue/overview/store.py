"""How the mail of all portals stands, read by pages of rows, whosever they are.

It is the operator's, and so reads all portals: commands alone use it. A page is a stretch of an
index from one message to another, whosever they are: with questions for each portal 20,000 of them
took a server of the same machine nine seconds, with no mail in any. What changes meanwhile is read
or not.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from smarthost.database.engine import Database, Row
from smarthost.mail_queue.holds.model import Hold
from smarthost.mail_queue.holds.store import read_hold
from smarthost.mail_queue.model import State

PAGE = 5_000
"""Rows that one statement looks at."""

_PAGE_END = """
SELECT portal_id, message_id, address FROM recipients
WHERE (portal_id, message_id, address) > ($1, $2, $3)
ORDER BY portal_id, message_id, address LIMIT 1 OFFSET $4"""
# One row for each portal and state of the page. The page is cut out by its size: with an upper end
# PostgreSQL reads half the index for a page in its middle. A message is found in its portal alone,
# and by a question of its own: of a join it may make a read through all messages.
_IN_PAGE = """
SELECT c.portal_id, c.state, c.recipients, c.scheduled, c.restored, (
    SELECT m.accepted_at FROM messages m WHERE m.portal_id = c.portal_id AND m.id = c.oldest
)
FROM (
    SELECT r.portal_id, r.state, count(*) AS recipients,
           count(CASE WHEN r.due_at IS NOT NULL AND r.scheduled_at > $8 THEN 1 END) AS scheduled,
           count(CASE WHEN r.held_for = 'restored' THEN 1 END) AS restored,
           min(CASE WHEN r.due_at IS NOT NULL AND coalesce(r.scheduled_at, $8) <= $8
                    THEN r.message_id END) AS oldest
    FROM (
        SELECT portal_id, message_id, address, kind, state, due_at, scheduled_at, held_for
        FROM recipients WHERE (portal_id, message_id, address) > ($1, $2, $3)
        ORDER BY portal_id, message_id, address LIMIT $7
    ) r
    WHERE (r.portal_id, r.message_id, r.address) <= ($4, $5, $6) AND r.kind = 'mail'
    GROUP BY r.portal_id, r.state
) c"""
_HELD_PAGE_END = """
SELECT portal_id, message_id, address FROM recipients
WHERE state = 'held' AND (portal_id, message_id, address) > ($1, $2, $3)
ORDER BY portal_id, message_id, address LIMIT 1 OFFSET $4"""
_RESTORED_IN_PAGE = """
SELECT r.portal_id, count(*)
FROM (
    SELECT portal_id, message_id, address, held_for FROM recipients
    WHERE state = 'held' AND (portal_id, message_id, address) > ($1, $2, $3)
    ORDER BY portal_id, message_id, address LIMIT $7
) r
WHERE (r.portal_id, r.message_id, r.address) <= ($4, $5, $6) AND r.held_for = 'restored'
GROUP BY r.portal_id"""
_LAST_SENT = """
SELECT portal_id, last_sent_at FROM queue_turns WHERE portal_id > $1 AND kind = 'mail'
ORDER BY portal_id LIMIT $2"""
_HOLDS = """
SELECT portal_id, revision, default_relay, relay_host, relay_port, since, step, code, permanent,
       reply, tls, failures, tried_at, probe_at, told_at
FROM relay_holds WHERE portal_id > $1 ORDER BY portal_id LIMIT $2"""

_Place = tuple[str, str, str]
"""A portal, a message of it and a recipient of that, as they stand in the table's key."""

_FIRST, _LAST = ("", "", ""), ("~", "", "")


class Standing(msgspec.Struct):
    """How the mail of one portal stands; the unit is one recipient of one message."""

    recipients: dict[State, int] = msgspec.field(default_factory=lambda: dict.fromkeys(State, 0))
    """Ended ones too, as long as they are kept."""
    scheduled: int = 0
    """Of those that wait by themselves the ones whose sender chose a moment yet to come."""
    restored: int = 0
    """Of the held ones those that come out of a back-up."""
    oldest_queued_at: int | None = None
    """When the oldest message was accepted that waits and is not scheduled."""
    last_sent_at: int | None = None
    """When a relay last took some of it."""
    hold: Hold | None = None
    """Why all of it waits."""


class Overview:
    """Reads it, as often as it is asked. All methods raise `StoreUnavailableError`."""

    def __init__(self, database: Database, page: int = PAGE) -> None:
        """`page` is how many rows one statement looks at."""
        self._database = database
        self._page = page

    async def standings(self, now: int) -> dict[str, Standing]:
        """Return how the mail stands of each portal that has any, or is on hold.

        `now` is in microseconds since 1970, UTC.
        """
        found: dict[str, Standing] = defaultdict(Standing)
        async for after, until in self._pages(self._page_end):
            page = (*after, *until, self._page)
            for row in await self._database.fetch(_IN_PAGE, *page, now):
                _add(found[row[0]], row)
        async for row in self._each(self._holds):
            found[row[0]].hold = read_hold(row)
        async for portal_id, at in self._each(self._last_sent):
            if portal_id in found:
                found[portal_id].last_sent_at = at
        return dict(found)

    async def restored(self) -> dict[str, int]:
        """Return by portal how many recipients are held since they come out of a back-up."""
        found: dict[str, int] = defaultdict(int)
        async for after, until in self._pages(self._held_page_end):
            page = (*after, *until, self._page)
            for portal_id, count in await self._database.fetch(_RESTORED_IN_PAGE, *page):
                found[portal_id] += count
        return dict(found)

    async def _holds(self, after: str) -> list[Row]:
        return await self._database.fetch(_HOLDS, after, self._page)

    async def _last_sent(self, after: str) -> list[Row]:
        return await self._database.fetch(_LAST_SENT, after, self._page)

    async def _page_end(self, after: _Place) -> list[Row]:
        return await self._database.fetch(_PAGE_END, *after, self._page - 1)

    async def _held_page_end(self, after: _Place) -> list[Row]:
        return await self._database.fetch(_HELD_PAGE_END, *after, self._page - 1)

    async def _each(self, page: Callable[[str], Awaitable[list[Row]]]) -> AsyncIterator[Row]:
        """Give the rows of a table that has one for a portal."""
        last = ""
        while rows := await page(last):
            for row in rows:
                yield row
            last = rows[-1][0]
            await asyncio.sleep(0)

    async def _pages(
        self, page_end: Callable[[_Place], Awaitable[list[Row]]]
    ) -> AsyncIterator[tuple[_Place, _Place]]:
        """Give stretches of an index: each behind the one place, up to and with the other."""
        after: _Place = _FIRST
        while after != _LAST:
            ends = await page_end(after)
            until = (ends[0][0], ends[0][1], ends[0][2]) if ends else _LAST
            yield after, until
            after = until
            await asyncio.sleep(0)


def _add(standing: Standing, row: Row) -> None:
    """Add what a page has of one portal and state."""
    _, state, recipients, scheduled, restored, oldest = row
    standing.recipients[State(state)] += recipients
    standing.scheduled += scheduled
    standing.restored += restored
    before = standing.oldest_queued_at
    standing.oldest_queued_at = min(
        (at for at in (before, oldest) if at is not None), default=None
    )
