"""Suspends and resumes a portal from its id alone, as another process does."""

from smarthost.audit.model import OPERATOR, Actor
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.portals.model import Portal
from smarthost.portals.store import PortalStore
from smarthost.portals.suspension.store import InEachChange, SuspensionStore

_BY = Actor(name=OPERATOR)


class Suspending:
    """What `portal suspend` and `portal resume` do, with what has to follow from it."""

    def __init__(self, database: Database, clock: Clock, in_each_change: InEachChange) -> None:
        ids = Ids(clock)
        audit = AuditLog(clock, ids)
        self._portals = PortalStore(database, audit, clock, ids)
        self._suspensions = SuspensionStore(database, audit, clock, in_each_change)

    async def suspend(self, portal_id: str) -> None:
        await self._suspensions.suspend(await self._portal(portal_id), _BY)

    async def resume(self, portal_id: str) -> None:
        await self._suspensions.resume(await self._portal(portal_id), _BY)

    async def _portal(self, portal_id: str) -> Portal:
        portal = await self._portals.portal_by_id(portal_id)
        assert portal is not None
        return portal
