"""Writes to a portal's administrators when its mail waits for its relay.

The message goes through the installation's own relay, since the portal's takes none; where there
is no such relay, nobody can be written to. A relay that is away for a minute is nobody's concern,
one message tells of each hold, and one a day is enough for a relay that comes and goes.
"""

import hashlib
from collections.abc import Callable

import structlog

from smarthost.audit.model import Actor
from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.mail_queue.accepted.model import Idempotency
from smarthost.mail_queue.holds.model import Hold
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.model import Kind
from smarthost.relay_health.store import NoticeStore
from smarthost.relay_health.writer import NoticeWriter

log = structlog.get_logger("smarthost.relay_health")

LOOK_SECONDS = 15.0
BLIP_SECONDS = 60
"""A hold that ends within this time is told to nobody."""
DAY_SECONDS = 24 * 3600

_TOGETHER = 100
_BY = Actor(name="smarthost")


class Notices:
    """Looks for holds that nobody was told of, for as long as `run` runs."""

    def __init__(
        self,
        holds: HoldStore,
        store: NoticeStore,
        writer: NoticeWriter,
        intake: Intake,
        clock: Clock,
        is_ours: Callable[[], bool],
    ) -> None:
        """`is_ours` tells whether this process is the one that delivers: one tells, not all."""
        self._holds = holds
        self._store = store
        self._writer = writer
        self._intake = intake
        self._clock = clock
        self._is_ours = is_ours

    async def run(self) -> None:
        """Tell of holds until cancelled."""
        while True:
            if self._is_ours():
                try:
                    await self.tell_all()
                except StoreUnavailableError as error:
                    log.warning("holds not told", reason=str(error))
            await self._clock.sleep(LOOK_SECONDS)

    async def tell_all(self) -> None:
        """Write to the administrators of every portal that it is time for.

        Raises `StoreUnavailableError`; what was not told then is told the next time.
        """
        began = self._clock.now() - BLIP_SECONDS * MICROSECONDS
        told_by = self._clock.now() - DAY_SECONDS * MICROSECONDS
        after = ""
        while portals := await self._store.to_tell(
            since=began, told_by=told_by, after=after, at_most=_TOGETHER
        ):
            for portal_id in portals:
                hold = await self._holds.current(portal_id)
                if hold is not None and hold.told_at is None:
                    await self._tell(hold)
            after = portals[-1]

    async def _tell(self, hold: Hold) -> None:
        submission = await self._writer.write(hold)
        if submission is None:
            return
        # This process may end before it is written down that they were told: so the same hold is
        # accepted once.
        key = f"hold {hold.since}"
        once = Idempotency(key=key, digest=hashlib.sha256(key.encode()).digest(), answer=b"told")
        await self._intake.submit(
            hold.portal_id, [submission], by=_BY, owner=None, idempotency=once, kind=Kind.NOTICE
        )
        await self._store.note(hold.portal_id)
        await self._holds.mark_told(hold.portal_id)
        log.info("administrators written to", portal_id=hold.portal_id, code=hold.code)
