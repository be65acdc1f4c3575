"""Reads the audit in the order in which it was written, page by page.

It is the operator's, and so reads all portals where it is not asked for one: commands alone use
it. The order is that of the commits, so nothing comes to lie behind an event that was read before.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from smarthost.audit.reading.model import NoSuchEventError, Page, Record, Wanted
from smarthost.database.engine import Database, Row, Value

_EVENTS = """
SELECT e.number, e.id, p.name, e.at, e.actor, e.address, e.request_id, e.action, e.subject,
       e.details
FROM audit_events e LEFT JOIN portals p ON p.id = e.portal_id
WHERE e.number > $1 AND e.number <= $2 AND e.at >= $3 AND e.at < $4
  AND e.action = coalesce($5, e.action)
  AND coalesce($6, e.actor)
      IN (e.actor, CASE WHEN e.actor LIKE 'operator as %' THEN 'operator' END)"""
_OLDEST = f"{_EVENTS} ORDER BY e.number LIMIT $7"
_NEWEST = f"{_EVENTS} ORDER BY e.number DESC LIMIT $7"
_OLDEST_OF_PORTAL = f"{_EVENTS} AND e.portal_id = $8 ORDER BY e.number LIMIT $7"
_NEWEST_OF_PORTAL = f"{_EVENTS} AND e.portal_id = $8 ORDER BY e.number DESC LIMIT $7"
_NUMBER = "SELECT number FROM audit_events WHERE id = $1"
_LAST = "SELECT number, at FROM audit_events ORDER BY number DESC LIMIT 1"

PAGE = 500
"""How many events are in memory at the same time."""

_details = msgspec.json.Decoder(dict[str, object])


class _Range(NamedTuple):
    """Events by their numbers."""

    after: int
    last: int


class AuditReader:
    """Reads the audit. All methods raise `StoreUnavailableError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, wanted: Wanted, at_most: int) -> list[Record]:
        """Return events, newest first."""
        values = _values(wanted, _Range(0, await self._last()), at_most)
        if wanted.portal_id is None:
            rows = await self._database.fetch(_NEWEST, *values)
        else:
            rows = await self._database.fetch(_NEWEST_OF_PORTAL, *values, wanted.portal_id)
        return [_record(row) for row in rows]

    async def oldest(self, wanted: Wanted, after: str | None) -> AsyncIterator[Page]:
        """Give events, oldest first: those behind the event of the id `after`, if there is one.

        What is written meanwhile does not come, so there is an end. Raises `NoSuchEventError`.
        """
        first = 0 if after is None else await self._number(after)
        left = _Range(first, await self._last())
        while rows := await self._rows(wanted, left):
            left = _Range(rows[-1][0], left.last)
            share = (left.after - first) / (left.last - first)
            yield Page([_record(row) for row in rows], share)

    async def last_at(self) -> int | None:
        """Return when the newest event was, in microseconds since 1970, UTC, None without any."""
        rows = await self._database.fetch(_LAST)
        return rows[0][1] if rows else None

    async def _rows(self, wanted: Wanted, among: _Range) -> list[Row]:
        values = _values(wanted, among, PAGE)
        if wanted.portal_id is None:
            return await self._database.fetch(_OLDEST, *values)
        return await self._database.fetch(_OLDEST_OF_PORTAL, *values, wanted.portal_id)

    async def _number(self, event_id: str) -> int:
        rows = await self._database.fetch(_NUMBER, event_id)
        if not rows:
            raise NoSuchEventError(event_id)
        return int(rows[0][0])

    async def _last(self) -> int:
        rows = await self._database.fetch(_LAST)
        return int(rows[0][0]) if rows else 0


def _values(wanted: Wanted, among: _Range, at_most: int) -> tuple[Value, ...]:
    filters = (wanted.since, wanted.before, wanted.action, wanted.by)
    return (*among, *filters, at_most)


def _record(row: Row) -> Record:
    return Record(
        id=row[1],
        portal=row[2],
        at=row[3],
        actor=row[4],
        address=row[5],
        request_id=row[6],
        action=row[7],
        subject=row[8],
        details=_details.decode(row[9]),
    )
