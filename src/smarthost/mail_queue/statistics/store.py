"""The rows of what became of mail: one an hour and portal, added to as outcomes are written.

A count is part of the transaction that writes the outcome, and so is made exactly when that is:
whoever has lost a claim changes no recipient, and counts nothing. It is one statement that reads
nothing first, so that several may count the same hour at once.
"""

from collections.abc import Collection

from smarthost.database.engine import Database, Row, Transaction
from smarthost.mail_queue.model import Ended
from smarthost.mail_queue.statistics.model import HOUR, Point, Tally, tally_of

_COUNT = """
INSERT INTO mail_counts (portal_id, hour, sent_in_1, sent_in_5, sent_in_30, sent_in_120,
                         sent_in_600, sent_in_3600, sent_in_21600, sent_in_86400, sent_later,
                         deferred, failed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (portal_id, hour) DO UPDATE
SET sent_in_1 = mail_counts.sent_in_1 + excluded.sent_in_1,
    sent_in_5 = mail_counts.sent_in_5 + excluded.sent_in_5,
    sent_in_30 = mail_counts.sent_in_30 + excluded.sent_in_30,
    sent_in_120 = mail_counts.sent_in_120 + excluded.sent_in_120,
    sent_in_600 = mail_counts.sent_in_600 + excluded.sent_in_600,
    sent_in_3600 = mail_counts.sent_in_3600 + excluded.sent_in_3600,
    sent_in_21600 = mail_counts.sent_in_21600 + excluded.sent_in_21600,
    sent_in_86400 = mail_counts.sent_in_86400 + excluded.sent_in_86400,
    sent_later = mail_counts.sent_later + excluded.sent_later,
    deferred = mail_counts.deferred + excluded.deferred,
    failed = mail_counts.failed + excluded.failed"""
# A sum of PostgreSQL's is no whole number of its own accord.
_COUNTED = """
SELECT hour / $4, CAST(sum(sent_in_1) AS BIGINT),
       CAST(sum(sent_in_5) AS BIGINT), CAST(sum(sent_in_30) AS BIGINT),
       CAST(sum(sent_in_120) AS BIGINT), CAST(sum(sent_in_600) AS BIGINT),
       CAST(sum(sent_in_3600) AS BIGINT), CAST(sum(sent_in_21600) AS BIGINT),
       CAST(sum(sent_in_86400) AS BIGINT), CAST(sum(sent_later) AS BIGINT),
       CAST(sum(deferred) AS BIGINT), CAST(sum(failed) AS BIGINT)
FROM mail_counts WHERE portal_id = $1 AND hour >= $2 AND hour < $3
GROUP BY hour / $4"""
_OLD = """
SELECT hour FROM mail_counts WHERE portal_id = $1 AND hour <= $2 ORDER BY hour LIMIT $3"""
_REMOVE = "DELETE FROM mail_counts WHERE portal_id = $1 AND hour <= $2"


async def count(
    tx: Transaction, portal_id: str, ended: Collection[Ended], *, now: int, delay: int = 0
) -> None:
    """Count in `tx` where recipients of a mail have just come to stand.

    `delay` is as in `tally_of`.
    """
    if ended:
        await add(tx, portal_id, tally_of(ended, delay), now)


async def add(tx: Transaction, portal_id: str, tally: Tally, now: int) -> None:
    """Add to the counts of this hour in `tx`."""
    row = (*tally.sent_by_step, tally.deferred, tally.failed)
    await tx.execute(_COUNT, portal_id, now - now % HOUR, *row)


class StatisticsStore:
    """Reads what was counted, and removes what is old."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def points(self, portal_id: str, begin: int, end: int, step: int) -> list[Point]:
        """Return a point for each `step` from `begin` until `end`, those without any mail too.

        All three are microseconds and whole multiples of `HOUR`, the first two of `step`.
        """
        rows = await self._database.fetch(_COUNTED, portal_id, begin, end, step)
        counted = {row[0] * step: _tally(row) for row in rows}
        return [Point(at=at, tally=counted.get(at, Tally())) for at in range(begin, end, step)]

    async def remove(self, portal_id: str, until: int, at_most: int) -> bool:
        """Remove some of the hours that began at `until` or before; False if there were none."""
        old = await self._database.fetch(_OLD, portal_id, until, at_most)
        if not old:
            return False
        await self._database.execute(_REMOVE, portal_id, old[-1][0])
        return True


def _tally(row: Row) -> Tally:
    _, *by_step, deferred, failed = row
    return Tally(sent_by_step=tuple(by_step), deferred=deferred, failed=failed)
