"""The first opening of a back-up: nothing that it says is under way happens by itself.

All of it may have happened since the back-up was taken: mail was sent, receivers were called,
people signed out, links were used. So mail is held, events are given up, sessions and links end,
in one transaction with the removal of the back-up's mark: a process that dies in the middle leaves
it all for the next.
"""

import msgspec
import structlog

from smarthost.audit.model import OPERATOR, Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock, moment
from smarthost.database.backup_mark import marked_at, take_mark
from smarthost.database.engine import Database, Transaction
from smarthost.failure_notices.store import FailureNoticeStore
from smarthost.mail_queue.restored.store import hold_back
from smarthost.portals.sign_in.links.store import SignInLinks
from smarthost.portals.sign_in.store import SignInStore
from smarthost.portals.store import PortalStore
from smarthost.webhooks.store import WebhookStore

log = structlog.get_logger("smarthost.app")

RELEASE = "smarthost messages release --restored"
"""What an operator types who wants to let go what is held for this."""

CANCEL = "smarthost messages cancel --restored"
"""What an operator types who knows that it was sent."""

_BY = Actor(name=OPERATOR)


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What the first opening of a back-up has done."""

    taken_at: int
    """When the back-up was taken; microseconds since 1970, UTC."""
    held: int
    """Recipients whose mail waits for a person now."""
    events_given_up: int
    """Of webhooks."""


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
        webhooks: WebhookStore,
        notices: FailureNoticeStore,
    ) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._portals = portals
        self._sign_ins = sign_ins
        self._links = links
        self._webhooks = webhooks
        self._notices = notices

    async def see_to(self) -> Restored | None:
        """Hold back what a back-up would do; None, and nothing done, if the store is none.

        Raises `StoreUnavailableError`; then all is as it was.
        """
        if await marked_at(self._database) is None:
            return None
        restored = await self._database.transact_long(self._hold_all)
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

    async def _hold_all(self, tx: Transaction) -> Restored | None:
        taken_at = await take_mark(tx, self._database.dialect)
        if taken_at is None:
            return None  # another process was first
        held = given_up = 0
        for portal_id in await self._portals.all_ids(tx):
            held_here, given_up_here = await self._hold(tx, portal_id, taken_at)
            held, given_up = held + held_here, given_up + given_up_here
        return Restored(taken_at=taken_at, held=held, events_given_up=given_up)

    async def _hold(self, tx: Transaction, portal_id: str, taken_at: int) -> tuple[int, int]:
        held = await hold_back(tx, portal_id, self._clock.now())
        given_up = await self._webhooks.give_up_all(tx, portal_id)
        await self._notices.give_up_all(tx, portal_id)
        await self._sign_ins.end_all(tx, portal_id)
        await self._links.end_all(tx, portal_id)
        event = Event(
            portal_id=portal_id,
            action="database.restored",
            subject=moment(taken_at).isoformat(),
            details={"held": held, "events_given_up": given_up},
        )
        await self._audit.record(tx, event, _BY)
        return held, given_up
