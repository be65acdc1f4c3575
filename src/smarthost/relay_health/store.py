"""Whose administrators are to be written to, and when they last were.

A hold is gone once its relay takes mail again; without this, one that comes and goes would fill
their mailboxes. It is one question however many portals are on hold, and whom it names can be
written to: who cannot would be asked about again every time.
"""

from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction

# None of the default relay, which is not the administrators' to mend, and of no suspended portal.
_TO_TELL = """
SELECT h.portal_id FROM relay_holds h
WHERE h.portal_id > $1 AND h.told_at IS NULL AND h.default_relay = 0 AND h.since <= $2
  AND NOT EXISTS (
      SELECT 1 FROM hold_notices n WHERE n.portal_id = h.portal_id AND n.told_at > $3
  )
  AND EXISTS (SELECT 1 FROM portals p WHERE p.id = h.portal_id AND p.suspended_at IS NULL)
  AND EXISTS (
      SELECT 1 FROM users u WHERE u.portal_id = h.portal_id AND u.role = 'administrator'
  )
ORDER BY h.portal_id LIMIT $4"""
_TELL = """
INSERT INTO hold_notices (portal_id, told_at) VALUES ($1, $2)
ON CONFLICT (portal_id) DO UPDATE SET told_at = excluded.told_at"""


class NoticeStore:
    """Reads and changes these rows."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def to_tell(self, *, since: int, told_by: int, after: str, at_most: int) -> list[str]:
        """Return portals behind `after` with a hold that nobody was told of, in their order.

        Those whose hold began at `since` or before, and whose last notice was written at `told_by`
        or before, or never. Both are microseconds since 1970, UTC.
        """
        rows = await self._database.fetch(_TO_TELL, after, since, told_by, at_most)
        return [row[0] for row in rows]

    async def note(self, portal_id: str) -> None:
        """Write down that one was written now."""
        now = self._clock.now()

        async def work(tx: Transaction) -> None:
            await tx.execute(_TELL, portal_id, now)

        await self._database.transact(work)
