"""Whether a portal is suspended, since when, and when that last ended.

It is one column of the portal's row, which every process reads. What follows from it elsewhere is
written in the same transaction, so that it holds everywhere from that commit on.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.portals.model import ConflictError, Portal

_STANDING = "SELECT suspended_at, resumed_at FROM portals WHERE id = $1"
_SUSPEND = "UPDATE portals SET suspended_at = $2 WHERE id = $1 AND suspended_at IS NULL"
_RESUME = """
UPDATE portals SET suspended_at = NULL, resumed_at = $2
WHERE id = $1 AND suspended_at IS NOT NULL"""

InEachChange = Callable[[Transaction, str], Awaitable[None]]
"""Does something more in the transaction that suspends or resumes the portal of this id."""


class Standing(NamedTuple):
    """How a portal stands; times in microseconds since 1970, UTC."""

    suspended_at: int | None
    """None: it is not suspended."""
    resumed_at: int | None
    """None: it never was."""


async def standing_of(source: Database | Transaction, portal_id: str) -> Standing:
    """Return whether the portal is suspended, and when it was resumed last."""
    rows = await source.fetch(_STANDING, portal_id)
    return Standing(*rows[0])


async def nothing_more(_tx: Transaction, _portal_id: str) -> None:
    """Do nothing more."""


class SuspensionStore:
    """Suspends and resumes portals."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        clock: Clock,
        in_each_change: InEachChange = nothing_more,
    ) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._in_each_change = in_each_change

    async def suspend(self, portal: Portal, by: Actor) -> None:
        """Let nobody of a portal in, and nothing out. Raises `ConflictError` if it is so."""

        async def work(tx: Transaction) -> None:
            await tx.lock(portal.id)
            if not await tx.execute(_SUSPEND, portal.id, self._clock.now()):
                raise ConflictError(f"The portal {portal.name} is suspended already.")
            await self._follow(tx, "portal.suspended", portal, by)

        await self._database.transact(work)

    async def resume(self, portal: Portal, by: Actor) -> None:
        """Let a portal go on where it stood. Raises `ConflictError` if it is not suspended."""

        async def work(tx: Transaction) -> None:
            await tx.lock(portal.id)
            if not await tx.execute(_RESUME, portal.id, self._clock.now()):
                raise ConflictError(f"The portal {portal.name} is not suspended.")
            await self._follow(tx, "portal.resumed", portal, by)

        await self._database.transact(work)

    async def _follow(self, tx: Transaction, action: str, portal: Portal, by: Actor) -> None:
        await self._in_each_change(tx, portal.id)
        event = Event(portal_id=portal.id, action=action, subject=portal.name)
        await self._audit.record(tx, event, by)
