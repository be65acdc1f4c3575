"""The first opening of a back-up: nothing that it says is under way happens by itself.

All of it may have happened since the back-up was taken: mail was sent, receivers were called,
people signed out, links were used. So mail is held, events are given up, sessions and links end.
Some hundred portals share a transaction, since a server locks no more at once, and the last one
removes the back-up's mark: a process that dies in the middle leaves the rest for the next.
"""

from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from smarthost.audit.model import OPERATOR, Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock, moment
from smarthost.database.backup_mark import is_marked, mark_in, remove_mark
from smarthost.database.engine import Database, StoreBusyError, T, Transaction, Work
from smarthost.failure_notices.store import FailureNoticeStore
from smarthost.mail_queue.restored.store import hold_back
from smarthost.portals.sign_in.links.store import SignInLinks
from smarthost.portals.sign_in.store import SignInStore
from smarthost.portals.store import PortalStore
from smarthost.webhooks.waiting.store import WaitingEvents

log = structlog.get_logger("smarthost.app")

RELEASE = "smarthost messages release --restored"
"""What an operator types who wants to let go what is held for this."""

CANCEL = "smarthost messages cancel --restored"
"""What an operator types who knows that it was sent."""

_BY = Actor(name=OPERATOR)
_TOGETHER = 500
"""How many portals a transaction changes at the most."""
_PAUSE_SECONDS = 0.5


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What the first opening of a back-up has done."""

    taken_at: int
    """When the back-up was taken; microseconds since 1970, UTC."""
    held: int
    """Recipients whose mail waits for a person now."""
    events_given_up: int
    """Of webhooks."""

    def plus(self, other: "Restored | None") -> "Restored":
        """Return the sum of what was done."""
        if other is None:
            return self
        return msgspec.structs.replace(
            self,
            held=self.held + other.held,
            events_given_up=self.events_given_up + other.events_given_up,
        )


class _Page(NamedTuple):
    """What was done to some portals."""

    restored: Restored
    last: str | None
    """The last of them; None if there are no more."""


class FirstOpening:
    """Sees to a store that may be a back-up, before anything else is done with it."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        clock: Clock,
        *,
        portals: PortalStore,
        sign_ins: SignInStore,
        links: SignInLinks,
        webhook_events: WaitingEvents,
        notices: FailureNoticeStore,
    ) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._portals = portals
        self._sign_ins = sign_ins
        self._links = links
        self._webhook_events = webhook_events
        self._notices = notices

    async def see_to(self) -> Restored | None:
        """Hold back what a back-up would do; None, and nothing done, if the store is none.

        Raises `StoreUnavailableError`; then it is still to be done.
        """
        if not await is_marked(self._database):
            return None
        restored, after = None, ""
        while page := await self._patiently(partial(self._hold_some, after)):
            restored = page.restored.plus(restored)
            if page.last is None:
                break
            after = page.last
        if restored is not None:
            log.warning(
                "this database comes out of a back-up: its mail is held",
                taken_at=moment(restored.taken_at).isoformat(),
                held=restored.held,
                events_given_up=restored.events_given_up,
                release=RELEASE,
                cancel=CANCEL,
            )
        return restored

    async def _patiently(self, work: Work[T]) -> T:
        """Do `work` as soon as no other process is at it."""
        while True:
            try:
                return await self._database.transact_long(work)
            except StoreBusyError:
                await self._clock.sleep(_PAUSE_SECONDS)

    async def _hold_some(self, after: str, tx: Transaction) -> "_Page | None":
        """See to the portals behind `after`; None if another process was first with all."""
        taken_at = await mark_in(tx, self._database.dialect)
        if taken_at is None:
            return None
        ids = await self._portals.ids_in(tx, after=after, at_most=_TOGETHER)
        held = given_up = 0
        for portal_id in ids:
            held_here, given_up_here = await self._hold(tx, portal_id, taken_at)
            held, given_up = held + held_here, given_up + given_up_here
        last = ids[-1] if len(ids) == _TOGETHER else None
        if last is None:
            await remove_mark(tx)
        return _Page(Restored(taken_at=taken_at, held=held, events_given_up=given_up), last)

    async def _hold(self, tx: Transaction, portal_id: str, taken_at: int) -> tuple[int, int]:
        subject = moment(taken_at).isoformat()
        if await self._audit.tells(tx, portal_id, "database.restored", subject):
            return 0, 0  # another process was first, or has died behind it
        held = await hold_back(tx, portal_id, self._clock.now())
        given_up = await self._webhook_events.give_up_all(tx, portal_id)
        await self._notices.give_up_all(tx, portal_id)
        await self._sign_ins.end_all(tx, portal_id)
        await self._links.end_all(tx, portal_id)
        event = Event(
            portal_id=portal_id,
            action="database.restored",
            subject=subject,
            details={"held": held, "events_given_up": given_up},
        )
        await self._audit.record(tx, event, _BY)
        return held, given_up
