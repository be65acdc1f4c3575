"""Puts right what time has done: a worker that died, and a clock that was set.

Both are seen to before anything is claimed, so that no message waits for the end of a dead
worker's lease, nor for a moment that a clock has moved into the far future. Of several nodes one
does so for all.
"""

from collections.abc import Callable

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
        self,
        leases: LeaseStore,
        holds: HoldStore,
        jumps: Jumps,
        is_first: Callable[[], bool] | None = None,
    ) -> None:
        """`is_first` tells whether this is the node that does so; None: there is no other one."""
        self._is_first = is_first
        self._leases = leases
        self._holds = holds
        self._jumps = jumps
        self._behind = 0
        self._is_begun = False

    async def begin(self) -> None:
        """Do what is due when this worker begins, or is the first one from now on.

        It ends what the last one left in the middle, where no other can be at work, and has every
        hold probed. Raises `StoreUnavailableError`; then it is to be done again.
        """
        if not self._is_ours():
            self._is_begun = False
        elif not self._is_begun:
            if self._is_first is None:
                await self._take_over()
            await self._holds.probe_all()
            self._is_begun = True

    async def _take_over(self) -> None:
        for kind in _TAKEN_OVER:
            count = await self._leases.take_over(kind)
            if count:
                log.warning(
                    "the last worker ended in the middle", kind=kind.value, recipients=count
                )

    def _is_ours(self) -> bool:
        return self._is_first is None or self._is_first()

    async def look_at_clock(self) -> None:
        """Bring what waits nearer by as much as the clock was set back.

        Raises `StoreUnavailableError`; then the next look does it.
        """
        by = self._jumps.look()
        if by:
            log.warning("the machine's clock was set", seconds=round(by / 1_000_000))
        if self._is_ours():
            self._behind += max(0, -by)
        if not self._behind:
            return
        await self._leases.shift(self._behind)
        self._behind = 0
