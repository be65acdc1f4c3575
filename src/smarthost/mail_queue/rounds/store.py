"""Which of many portals have something to be done: old mail, mail that waits, a claim left behind.

Who goes round all portals asks this first, hundreds of portals at a time, and then goes to those
that have something: a portal with nothing costs no question of its own. The answers name portals
and messages, and tell of a message how far it is; what is done about it is done portal by portal.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from smarthost.database.engine import Database, Row
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.removal.store import Kept, read_kept

TOGETHER = 500
"""Portals that one statement looks at: each costs it one search of an index."""

_SOME = "SELECT id FROM portals WHERE id > $1 ORDER BY id LIMIT 1 OFFSET $2"
# SQLite takes tables in this order where CROSS JOIN is said: then it sorts nothing.
_BODIES = """
SELECT p.id, b.message_id, count(*), count(r.ended_at), coalesce(max(r.ended_at), 0),
       count(CASE WHEN r.state = 'sent' THEN 1 END)
FROM portals p CROSS JOIN message_bodies b CROSS JOIN recipients r
WHERE p.id > $1 AND p.id <= $2 AND b.portal_id = p.id AND b.message_id < $3
  AND r.portal_id = p.id AND r.message_id = b.message_id
GROUP BY p.id, b.message_id ORDER BY p.id, b.message_id LIMIT $4"""
_MESSAGES = """
SELECT p.id, r.message_id, count(*), count(r.ended_at), coalesce(max(r.ended_at), 0),
       count(CASE WHEN r.state = 'sent' THEN 1 END)
FROM portals p CROSS JOIN recipients r
WHERE p.id > $1 AND p.id <= $2 AND r.portal_id = p.id AND r.message_id < $3 AND NOT EXISTS (
    SELECT 1 FROM last_tests l WHERE l.portal_id = p.id AND l.message_id = r.message_id
)
GROUP BY p.id, r.message_id ORDER BY p.id, r.message_id LIMIT $4"""
_WITH_KEYS = """
SELECT p.id FROM portals p
WHERE p.id > $1 AND p.id <= $2 AND EXISTS (
    SELECT 1 FROM idempotency_keys k WHERE k.portal_id = p.id AND k.accepted_at <= $3
)"""
_WITH_COUNTS = """
SELECT p.id FROM portals p
WHERE p.id > $1 AND p.id <= $2 AND EXISTS (
    SELECT 1 FROM mail_counts c WHERE c.portal_id = p.id AND c.hour <= $3
)"""
_WITH_DUE = """
SELECT p.id FROM portals p
WHERE p.id > $1 AND p.id <= $2 AND EXISTS (
    SELECT 1 FROM recipients r WHERE r.portal_id = p.id AND r.kind = $3 AND r.due_at > $4
)"""
# Of what is being sent there is never much, and an index of its own.
_NEXT_WITH_CLAIMS = """
SELECT portal_id FROM recipients WHERE portal_id > $1 AND kind = $2 AND state = 'sending'
ORDER BY portal_id LIMIT 1"""
_NEXT_OF_NODE = """
SELECT portal_id FROM recipients
WHERE portal_id > $1 AND kind = 'mail' AND state = 'sending' AND claim > $2 AND claim < $3
ORDER BY portal_id LIMIT 1"""

_BEHIND_ALL = "~"


class Some(NamedTuple):
    """Portals by their ids: those behind the one, up to and with the other."""

    after: str
    until: str


class Rounds:
    """Asks of many portals at once. All methods raise `StoreUnavailableError`."""

    def __init__(self, database: Database, together: int = TOGETHER) -> None:
        """`together` is how many portals one statement looks at."""
        self._database = database
        self._together = together

    async def portals(self) -> AsyncIterator[Some]:
        """Give all portals, some at a time, whatever happens to them meanwhile."""
        after = ""
        while after != _BEHIND_ALL:
            found = await self._database.fetch(_SOME, after, self._together - 1)
            until = found[0][0] if found else _BEHIND_ALL
            yield Some(after, until)
            after = until
            await asyncio.sleep(0)  # reads do not wait, so others would have to

    async def bodies(self, some: Some, until: str, at_most: int) -> list[tuple[str, Kept]]:
        """Return messages of ids before `until` whose content is there, by portal and id."""
        return _kept(await self._database.fetch(_BODIES, *some, until, at_most))

    async def messages(self, some: Some, until: str, at_most: int) -> list[tuple[str, Kept]]:
        """Return messages of ids before `until`, but for last tests, by portal and id."""
        return _kept(await self._database.fetch(_MESSAGES, *some, until, at_most))

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


def _kept(rows: list[Row]) -> list[tuple[str, Kept]]:
    return [(row[0], read_kept(row[1:])) for row in rows]


def _ids(rows: list[Row]) -> list[str]:
    return [row[0] for row in rows]
