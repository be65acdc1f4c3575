from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarthost.audit.model import Actor
from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.portals.store import PortalStore
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.smtp_settings.store import SettingsStore
from tests.clocks import FakeClock
from tests.engines import ENGINES, migrated_database

ADMIN = Actor(name="admin@example.com", address="192.0.2.7", request_id="r-1")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def ring() -> KeyRing:
    key = bytes(range(KEY_OCTETS))
    return KeyRing({key_id(key): key}, key_id(key))


@pytest.fixture
def store(database: Database, clock: FakeClock, ring: KeyRing) -> SettingsStore:
    return SettingsStore(database, AuditLog(clock, Ids(clock)), clock, ring)


@pytest.fixture
async def portal(database: Database, clock: FakeClock) -> str:
    """The id of a portal that has saved nothing."""
    ids = Ids(clock)
    portals = PortalStore(database, AuditLog(clock, ids), clock, ids)
    return (await portals.create_portal("first", ADMIN)).id


@pytest.fixture
async def neighbour(database: Database, clock: FakeClock) -> str:
    """The id of another portal."""
    ids = Ids(clock)
    portals = PortalStore(database, AuditLog(clock, ids), clock, ids)
    return (await portals.create_portal("second", ADMIN)).id
