"""When a portal's administrators were last written to.

The hold itself is gone once its relay takes mail again; without this, one that comes and goes
would fill their mailboxes.
"""

from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction

_TOLD_AT = "SELECT told_at FROM hold_notices WHERE portal_id = $1"
_TELL = """
INSERT INTO hold_notices (portal_id, told_at) VALUES ($1, $2)
ON CONFLICT (portal_id) DO UPDATE SET told_at = excluded.told_at"""


class NoticeStore:
    """Reads and changes these rows."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def last(self, portal_id: str) -> int | None:
        """Return when the last notice was written, in microseconds since 1970, UTC."""
        rows = await self._database.fetch(_TOLD_AT, portal_id)
        return rows[0][0] if rows else None

    async def note(self, portal_id: str) -> None:
        """Write down that one was written now."""
        now = self._clock.now()

        async def work(tx: Transaction) -> None:
            await tx.execute(_TELL, portal_id, now)

        await self._database.transact(work)
