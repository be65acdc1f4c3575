from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.intake import Intake
from smarthost.mail_queue.store import QueueStore
from smarthost.portals.model import Portal, Role, User
from smarthost.portals.store import PortalStore
from smarthost.relay_check.store import TrialStore
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.smtp_settings.store import SettingsStore
from tests.engines import ENGINES, migrated_database
from tests.mail_queue.clocks import HeldClock
from tests.relay_check.trials import BY


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def portals(database: Database, clock: HeldClock) -> PortalStore:
    ids = Ids(clock)
    return PortalStore(database, AuditLog(clock, ids), clock, ids)


@pytest.fixture
async def portal(portals: PortalStore) -> Portal:
    return await portals.create_portal("acme", BY)


@pytest.fixture
async def user(portals: PortalStore, portal: Portal) -> User:
    return await portals.create_user(portal.id, "ann@example.org", Role.ADMINISTRATOR, None, BY)


@pytest.fixture
def settings(database: Database, clock: HeldClock) -> SettingsStore:
    key = bytes(range(KEY_OCTETS))
    ring = KeyRing({key_id(key): key}, key_id(key))
    return SettingsStore(database, AuditLog(clock, Ids(clock)), clock, ring)


@pytest.fixture
def queue(database: Database, clock: HeldClock) -> QueueStore:
    return QueueStore(database, clock, Ids(clock))


@pytest.fixture
def messages(database: Database, clock: HeldClock) -> MessageStore:
    return MessageStore(database, AuditLog(clock, Ids(clock)), clock)


@pytest.fixture
def intake(database: Database, clock: HeldClock) -> Intake:
    return Intake(database, ArrivalStore(database, clock), Ids(clock), lambda: None)


@pytest.fixture
def store(database: Database, clock: HeldClock) -> TrialStore:
    return TrialStore(database, clock, Ids(clock))
