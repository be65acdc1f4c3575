"""What is in force for all portals, many at a time: settings, and whether they are suspended.

It is the operator's, and so reads all portals: commands alone use it. Passwords stay sealed.
"""

from collections.abc import AsyncIterator

import msgspec

from smarthost.database.engine import Database, Row
from smarthost.smtp_settings.model import Revision, no_revision
from smarthost.smtp_settings.rows import read_revision

# A portal without settings has a row as well, so that a page is so many portals and not more.
_IN_FORCE = """
SELECT p.id, p.name, p.suspended_at, s.portal_id, s.revision, s.action, s.saved_at, s.saved_by,
       s.host, s.port, s.sender_address, s.sender_display_name, s.user_name, s.enable_ssl,
       s.enable_auth, s.use_ntlm, s.oauth2, s.oauth2_revision, s.sealed_password
FROM (
    SELECT i.id, i.name, i.suspended_at, (
        SELECT max(n.revision) FROM smtp_settings_revisions n WHERE n.portal_id = i.id
    ) AS newest
    FROM portals i WHERE i.id >= $1 AND i.id <= $2 ORDER BY i.id LIMIT $3
) p
LEFT JOIN smtp_settings_revisions s ON s.portal_id = p.id AND s.revision = p.newest
ORDER BY p.id"""

PAGE = 500
"""Portals that one statement looks at."""


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force for a portal."""

    portal_name: str
    suspended_at: int | None
    """Since when nothing of it is sent; microseconds since 1970, UTC."""
    revision: Revision
    """Number 0 if the portal has never saved anything."""


async def in_force(
    database: Database, *, first: str = "", last: str = "~", page: int = PAGE
) -> AsyncIterator[InForce]:
    """Give what is in force for each portal from the id `first` up to and with `last`.

    Raises `StoreUnavailableError`.
    """
    begin: str | None = first
    while begin is not None:
        rows = await database.fetch(_IN_FORCE, begin, last, page + 1)
        for row in rows[:page]:
            yield _read(row)
        begin = rows[page][0] if len(rows) > page else None


def _read(row: Row) -> InForce:
    portal_id, name, suspended_at, *columns = row
    has_saved = columns[0] is not None
    return InForce(
        portal_name=name,
        suspended_at=suspended_at,
        revision=read_revision(tuple(columns)) if has_saved else no_revision(portal_id),
    )
