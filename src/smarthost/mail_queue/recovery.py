"""Puts right what time has done: a worker that died, and a clock that was set.

Both are seen to before anything is claimed, so that no message waits for the end of a dead
worker's lease, nor for a moment that a clock has moved into the far future.
"""

import structlog

from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.jumps import Jumps
from smarthost.mail_queue.leases.store import LeaseStore
from smarthost.mail_queue.model import Kind

log = structlog.get_logger("smarthost.mail_queue")

# A test's worker is not asked after: its time is short anyway, and it is never tried again.
_TAKEN_OVER = (Kind.MAIL, Kind.NOTICE)


class Recovery:
    """What a worker does first, and whenever it looks at the clock."""

    def __init__(
        self, leases: LeaseStore, holds: HoldStore, jumps: Jumps, *, alone: bool = True
    ) -> None:
        """`alone`: where this process holds the lock, no other one can still be delivering."""
        self._alone = alone
        self._leases = leases
        self._holds = holds
        self._jumps = jumps
        self._behind = 0

    async def take_over(self) -> None:
        """End what the last worker left in the middle; only for who holds the delivery lock.

        Where it may live, and only have lost the lock, what may have left is not touched.
        Raises `StoreUnavailableError`; then it is to be done again.
        """
        end = self._leases.take_over if self._alone else self._leases.take_over_before_leaving
        for kind in _TAKEN_OVER:
            count = await end(kind)
            if count:
                log.warning(
                    "the last worker ended in the middle", kind=kind.value, recipients=count
                )
        await self._holds.probe_all()

    async def look_at_clock(self) -> None:
        """Bring what waits nearer by as much as the clock was set back.

        Raises `StoreUnavailableError`; then the next look does it.
        """
        by = self._jumps.look()
        if by:
            log.warning("the machine's clock was set", seconds=round(by / 1_000_000))
        self._behind += max(0, -by)
        if not self._behind:
            return
        await self._leases.shift(self._behind)
        self._behind = 0
