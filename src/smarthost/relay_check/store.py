"""The rows of the test besides the queue's: requests that count, and tests without a relay.

Requests are rows, not memory, so that the limit holds over a restart and for every process. Those
of the last quarter of an hour count, whenever that began; a user's older rows go with the next.
"""

from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.portals.model import User
from smarthost.relay_check.model import TooManyTestsError, WithoutRelay

MOST_REQUESTS = 5
WINDOW_MINUTES = 15
_WINDOW = WINDOW_MINUTES * 60 * MICROSECONDS

_FORGET = "DELETE FROM test_requests WHERE portal_id = $1 AND user_id = $2 AND at <= $3"
_RECENT = """
SELECT count(*), min(at) FROM test_requests WHERE portal_id = $1 AND user_id = $2"""
_RECORD = "INSERT INTO test_requests (portal_id, user_id, id, at) VALUES ($1, $2, $3, $4)"
_SET_WITHOUT_RELAY = """
INSERT INTO tests_without_relay (portal_id, id, at) VALUES ($1, $2, $3)
ON CONFLICT (portal_id) DO UPDATE SET id = excluded.id, at = excluded.at"""
_WITHOUT_RELAY = "SELECT id, at FROM tests_without_relay WHERE portal_id = $1"


class TrialStore:
    """Reads and changes these rows."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def count_request(self, user: User) -> None:
        """Count one request of a user. Raises `TooManyTestsError`, and counts nothing then."""
        now, request_id = self._clock.now(), self._ids.new()
        whose = (user.portal_id, user.id)

        async def work(tx: Transaction) -> None:
            await tx.lock(user.id)
            await tx.execute(_FORGET, *whose, now - _WINDOW)
            count, oldest = (await tx.fetch(_RECENT, *whose))[0]
            if count >= MOST_REQUESTS:
                raise TooManyTestsError(
                    most=MOST_REQUESTS, minutes=WINDOW_MINUTES, until=oldest + _WINDOW
                )
            await tx.execute(_RECORD, *whose, request_id, now)

        await self._database.transact(work)

    async def set_without_relay(self, portal_id: str) -> WithoutRelay:
        """Write down that a test ended now, since no relay was in force."""
        ended = WithoutRelay(id=self._ids.new(), at=self._clock.now())

        async def work(tx: Transaction) -> None:
            await tx.execute(_SET_WITHOUT_RELAY, portal_id, ended.id, ended.at)

        await self._database.transact(work)
        return ended

    async def without_relay(self, portal_id: str) -> WithoutRelay | None:
        """Return the portal's last test that ended so, None if there never was one."""
        rows = await self._database.fetch(_WITHOUT_RELAY, portal_id)
        return WithoutRelay(id=rows[0][0], at=rows[0][1]) if rows else None
