import pytest

from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database, Transaction
from smarthost.portals.model import ConflictError, Portal
from smarthost.portals.store import PortalStore
from smarthost.portals.suspension.store import Standing, SuspensionStore, standing_of
from tests.clocks import START, FakeClock
from tests.portals.conftest import BY

EVENTS = (
    "SELECT actor, action, subject FROM audit_events WHERE action <> 'portal.created' ORDER BY id"
)


@pytest.fixture
def suspensions(database: Database, audit: AuditLog, clock: FakeClock) -> SuspensionStore:
    return SuspensionStore(database, audit, clock)


async def test_a_portal_is_suspended_and_resumed_and_no_other_is(
    suspensions: SuspensionStore,
    portals: PortalStore,
    portal: Portal,
    neighbour: Portal,
    database: Database,
    clock: FakeClock,
) -> None:
    assert await standing_of(database, portal.id) == Standing(None, None)
    await suspensions.suspend(portal, BY)
    suspended = await portals.portal("first")
    assert suspended is not None
    assert suspended.suspended_at == START
    clock.advance(1)
    await suspensions.resume(portal, BY)
    assert await portals.portal("first") == portal
    assert await standing_of(database, portal.id) == Standing(None, clock.now())
    assert await standing_of(database, neighbour.id) == Standing(None, None)
    assert await database.fetch(EVENTS) == [
        (BY.name, "portal.suspended", "first"),
        (BY.name, "portal.resumed", "first"),
    ]


async def test_what_is_so_already_is_a_conflict_and_changes_nothing(
    suspensions: SuspensionStore, portal: Portal, database: Database, clock: FakeClock
) -> None:
    with pytest.raises(ConflictError, match="first is not suspended"):
        await suspensions.resume(portal, BY)
    await suspensions.suspend(portal, BY)
    clock.advance(1)
    with pytest.raises(ConflictError, match="first is suspended already"):
        await suspensions.suspend(portal, BY)
    assert await standing_of(database, portal.id) == Standing(START, None)
    assert len(await database.fetch(EVENTS)) == 1


async def test_a_portal_is_not_suspended_without_what_follows_from_it(
    database: Database, audit: AuditLog, clock: FakeClock, portal: Portal
) -> None:
    async def fail(_tx: Transaction, portal_id: str) -> None:
        raise ValueError(portal_id)

    suspensions = SuspensionStore(database, audit, clock, in_each_change=fail)
    with pytest.raises(ValueError, match=portal.id):
        await suspensions.suspend(portal, BY)
    assert await standing_of(database, portal.id) == Standing(None, None)
    assert await database.fetch(EVENTS) == []
