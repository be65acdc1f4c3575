"""Which of many portals have something to be done: old mail, mail that waits, a claim left behind.

Who goes round all portals asks this first, hundreds of portals at a time, and then goes to those
that have something: a portal with nothing costs no question of its own. The answers name portals
and messages, and tell of a message how far it is; what is done about it is done portal by portal.
Ids begin with the time of their making: what is old stands at the beginning of each portal.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec

from smarthost.database.engine import Database, Row
from smarthost.mail_queue.model import Kind

TOGETHER = 500
"""Portals that one statement looks at: each costs it one search of an index."""
PAGE = 500
"""Messages that one statement looks at."""

_SOME = "SELECT id FROM portals WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2"
# One value for each portal, by a question of its own: of EXISTS and of joins a server may make a
# read through the whole table, for each of many pages.
_WITH_BODIES = """
SELECT p.id FROM portals p
WHERE p.id > $1 AND p.id <= $2 AND (
    SELECT min(b.message_id) FROM message_bodies b WHERE b.portal_id = p.id
) < $3 ORDER BY p.id"""
# The last test stays for whoever looks at its result.
_WITH_MESSAGES = """
SELECT p.id FROM portals p
WHERE p.id > $1 AND p.id <= $2 AND (
    SELECT m.id FROM messages m
    WHERE m.portal_id = p.id AND m.id <> coalesce((
        SELECT l.message_id FROM last_tests l WHERE l.portal_id = p.id
    ), '')
    ORDER BY m.id LIMIT 1
) < $3 ORDER BY p.id"""
_WITH_KEYS = """
SELECT p.id FROM portals p
WHERE p.id > $1 AND p.id <= $2 AND (
    SELECT min(k.accepted_at) FROM idempotency_keys k WHERE k.portal_id = p.id
) <= $3 ORDER BY p.id"""
_WITH_COUNTS = """
SELECT p.id FROM portals p
WHERE p.id > $1 AND p.id <= $2 AND (
    SELECT min(c.hour) FROM mail_counts c WHERE c.portal_id = p.id
) <= $3 ORDER BY p.id"""
_WITH_DUE = """
SELECT p.id FROM portals p
WHERE p.id > $1 AND p.id <= $2 AND (
    SELECT max(r.due_at) FROM recipients r
    WHERE r.portal_id = p.id AND r.kind = $3 AND r.due_at IS NOT NULL
) > $4 ORDER BY p.id"""
_BODIES = """
SELECT b.portal_id, b.message_id, count(*), count(r.ended_at), coalesce(max(r.ended_at), 0),
       count(CASE WHEN r.state = 'sent' THEN 1 END), 0
FROM (
    SELECT portal_id, message_id FROM message_bodies
    WHERE (portal_id, message_id) > ($1, $2) ORDER BY portal_id, message_id LIMIT $3
) b
JOIN recipients r ON r.portal_id = b.portal_id AND r.message_id = b.message_id
GROUP BY b.portal_id, b.message_id ORDER BY b.portal_id, b.message_id"""
_MESSAGES = """
SELECT b.portal_id, b.message_id, count(*), count(r.ended_at), coalesce(max(r.ended_at), 0),
       count(CASE WHEN r.state = 'sent' THEN 1 END), max(b.is_last_test)
FROM (
    SELECT m.portal_id, m.id AS message_id, CASE WHEN m.id = (
        SELECT l.message_id FROM last_tests l WHERE l.portal_id = m.portal_id
    ) THEN 1 ELSE 0 END AS is_last_test
    FROM messages m
    WHERE (m.portal_id, m.id) > ($1, $2) ORDER BY m.portal_id, m.id LIMIT $3
) b
JOIN recipients r ON r.portal_id = b.portal_id AND r.message_id = b.message_id
GROUP BY b.portal_id, b.message_id ORDER BY b.portal_id, b.message_id"""
# Of what is being sent there is never much, and an index of its own.
_NEXT_WITH_CLAIMS = """
SELECT portal_id FROM recipients WHERE portal_id > $1 AND kind = $2 AND state = 'sending'
ORDER BY portal_id LIMIT 1"""
_NEXT_OF_NODE = """
SELECT portal_id FROM recipients
WHERE portal_id > $1 AND kind = 'mail' AND state = 'sending' AND claim > $2 AND claim < $3
ORDER BY portal_id LIMIT 1"""

_BEHIND_ALL = "~"

_Place = tuple[str, str]
"""A portal and a message of it, as their ids stand in the indexes."""


class Some(NamedTuple):
    """Portals by their ids: those behind the one, up to and with the other."""

    after: str
    until: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How far the recipients of one message are."""

    message_id: str
    recipients: int
    ended: bool
    """All of them are."""
    ended_at: int
    """When the last of those that have ended did; microseconds since 1970, UTC."""
    sent: bool
    """All of them were."""


class Rounds:
    """Asks of many portals at once. All methods raise `StoreUnavailableError`."""

    def __init__(self, database: Database, together: int = TOGETHER, page: int = PAGE) -> None:
        """One statement looks at so many portals, or messages."""
        self._database = database
        self._together = together
        self._page = page

    async def portals(self) -> AsyncIterator[Some]:
        """Give all portals, some at a time, whatever happens to them meanwhile."""
        after = ""
        while after != _BEHIND_ALL:
            found = await self._database.fetch(_SOME, after, self._together - 1)
            until = found[0][0] if found else _BEHIND_ALL
            yield Some(after, until)
            after = until
            await asyncio.sleep(0)  # reads do not wait, so others would have to

    async def bodies(self, some: Some, until: str) -> AsyncIterator[tuple[str, list[Kept]]]:
        """Give messages of ids before `until` that have content, some of a portal at a time."""
        portals = _ids(await self._database.fetch(_WITH_BODIES, *some, until))
        async for found in self._walk(self._bodies, portals, until):
            yield found

    async def messages(self, some: Some, until: str) -> AsyncIterator[tuple[str, list[Kept]]]:
        """Give messages of ids before `until`, but for last tests, some of a portal at a time."""
        portals = _ids(await self._database.fetch(_WITH_MESSAGES, *some, until))
        async for found in self._walk(self._messages, portals, until):
            yield found

    async def _bodies(self, place: _Place) -> list[Row]:
        return await self._database.fetch(_BODIES, *place, self._page)

    async def _messages(self, place: _Place) -> list[Row]:
        return await self._database.fetch(_MESSAGES, *place, self._page)

    async def _walk(
        self, page: Callable[[_Place], Awaitable[list[Row]]], portals: list[str], until: str
    ) -> AsyncIterator[tuple[str, list[Kept]]]:
        """Go through an index from message to message, whosever they are.

        Where they come to be too young it goes on at the next of `portals`: as few pages serve
        many portals with little as one with much.
        """
        place = (portals[0], "") if portals else None
        while place is not None:
            rows = await page(place)
            old = (row for row in rows if row[0] <= portals[-1] and row[1] < until and not row[6])
            for portal_id, found in groupby(old, key=itemgetter(0)):
                yield portal_id, [_kept(row) for row in found]
            place = _next(rows[-1], portals, until) if len(rows) == self._page else None
            await asyncio.sleep(0)

    async def with_keys(self, some: Some, until: int) -> list[str]:
        """Return the portals with idempotency keys of the time up to `until`."""
        return _ids(await self._database.fetch(_WITH_KEYS, *some, until))

    async def with_counts(self, some: Some, until: int) -> list[str]:
        """Return the portals with counts of hours that began at `until` or before."""
        return _ids(await self._database.fetch(_WITH_COUNTS, *some, until))

    async def with_due(self, some: Some, kind: Kind, after: int) -> list[str]:
        """Return the portals with messages of `kind` that are due later than `after`."""
        return _ids(await self._database.fetch(_WITH_DUE, *some, kind.value, after))

    async def with_claims(self, kind: Kind) -> AsyncIterator[str]:
        """Give the portals with claimed messages of `kind`."""
        last = ""
        while rows := await self._database.fetch(_NEXT_WITH_CLAIMS, last, kind.value):
            last = rows[0][0]
            yield last

    async def with_claims_of(self, begin: str, end: str) -> AsyncIterator[str]:
        """Give the portals with claimed mail, where the claim's name lies between the two."""
        last = ""
        while rows := await self._database.fetch(_NEXT_OF_NODE, last, begin, end):
            last = rows[0][0]
            yield last


def _next(last: Row, portals: list[str], until: str) -> _Place | None:
    """Return where to go on behind the last message of a page; None: it was the last page."""
    portal_id, message_id = last[:2]
    if portal_id <= portals[-1] and message_id < until:
        return portal_id, message_id
    behind = bisect_right(portals, portal_id)
    return (portals[behind], "") if behind < len(portals) else None


def _ids(rows: list[Row]) -> list[str]:
    return [row[0] for row in rows]


def _kept(row: Row) -> Kept:
    _, message_id, recipients, ended, ended_at, sent, _ = row
    return Kept(
        message_id=message_id,
        recipients=recipients,
        ended=ended == recipients,
        ended_at=ended_at,
        sent=sent == recipients,
    )
