"""Revisions by the page, newest first, each with what it has changed.

A page is one range of the table's own index, so that it costs the same however long the history
is. What a revision changed is written with it; of those from before that was kept, it is found by
comparing neighbours.
"""

from itertools import pairwise
from typing import Protocol

import msgspec

from smarthost.database.engine import Row, Value
from smarthost.smtp_settings.model import (
    PastRevision,
    Revision,
    RevisionConflictError,
    changed_fields,
    no_revision,
)
from smarthost.smtp_settings.rows import read_revision

_PAGE = """
SELECT portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
       sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, oauth2, oauth2_revision,
       sealed_password, changed
FROM smtp_settings_revisions WHERE portal_id = $1 AND revision < $2
ORDER BY revision DESC LIMIT $3"""

_NEWEST = (1 << 63) - 1
_MOST_TOLD = 5
"""How many revisions a refused change is told of: all that anybody reads."""


class Reader(Protocol):
    """A store or one of its transactions."""

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        """Run one statement and return all its rows."""
        ...


async def page(
    reader: Reader, portal_id: str, *, before: int | None, limit: int
) -> list[PastRevision]:
    """Return at most `limit` revisions older than `before`, or the newest; newest first."""
    end = _NEWEST if before is None else before
    # One more, to compare the last one with.
    rows = await reader.fetch(_PAGE, portal_id, end, limit + 1)
    revisions = [*map(read_revision, rows), no_revision(portal_id)]
    return [
        PastRevision(revision=revision, changed=_changed(row, revision, older))
        for row, (revision, older) in zip(rows, pairwise(revisions), strict=True)
    ][:limit]


async def conflict(
    reader: Reader, current: Revision, if_match: frozenset[int]
) -> RevisionConflictError:
    """Return the error for a change to other revisions than the one in force."""
    seen = max((number for number in if_match if 0 <= number < current.number), default=None)
    if seen is None:
        return RevisionConflictError(current)
    limit = min(_MOST_TOLD, current.number - seen)
    # Outside of a transaction there may be newer ones by now.
    end = current.number + 1
    told = await page(reader, current.portal_id, before=end, limit=limit)
    return RevisionConflictError(current, seen, tuple(reversed(told)))


def _changed(row: Row, revision: Revision, before: Revision) -> tuple[str, ...]:
    if row[16] is None:
        return tuple(changed_fields(before.settings, revision.settings))
    return msgspec.json.decode(row[16], type=tuple[str, ...])
