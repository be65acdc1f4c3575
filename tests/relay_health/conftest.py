from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.store import MessageStore
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.holds.store import HoldStore
from smarthost.mail_queue.intake import Intake
from smarthost.portals.model import Portal
from smarthost.portals.store import PortalStore
from smarthost.relay_health.health import RelayHealth
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.binding.tokens.store import TokenStore
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id
from smarthost.smtp_settings.store import SettingsStore
from tests.engines import ENGINES, migrated_database
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import BY
from tests.smtp_settings.binding.bindings import Known

_KEY = bytes(range(KEY_OCTETS))


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def audit(clock: HeldClock) -> AuditLog:
    return AuditLog(clock, Ids(clock))


@pytest.fixture
def portals(database: Database, audit: AuditLog, clock: HeldClock) -> PortalStore:
    return PortalStore(database, audit, clock, Ids(clock))


@pytest.fixture
async def portal(portals: PortalStore) -> Portal:
    return await portals.create_portal("acme", BY)


@pytest.fixture
async def neighbour(portals: PortalStore) -> Portal:
    return await portals.create_portal("other", BY)


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing({key_id(_KEY): _KEY}, key_id(_KEY))


@pytest.fixture
def settings(
    database: Database, audit: AuditLog, clock: HeldClock, ring: KeyRing
) -> SettingsStore:
    return SettingsStore(database, audit, clock, ring)


@pytest.fixture
def bindings(database: Database, audit: AuditLog, clock: HeldClock, ring: KeyRing) -> BindingStore:
    return BindingStore(database, audit, clock, ring, Known())


@pytest.fixture
def tokens(database: Database, clock: HeldClock, ring: KeyRing) -> TokenStore:
    return TokenStore(database, clock, ring)


@pytest.fixture
def health(
    holds: HoldStore, messages: MessageStore, settings: SettingsStore, bindings: BindingStore
) -> RelayHealth:
    return RelayHealth(holds, messages, settings, bindings, None)


@pytest.fixture
def holds(database: Database, clock: HeldClock) -> HoldStore:
    return HoldStore(database, clock)


@pytest.fixture
def messages(database: Database, audit: AuditLog, clock: HeldClock) -> MessageStore:
    return MessageStore(database, audit, clock)


@pytest.fixture
def intake(database: Database, clock: HeldClock) -> Intake:
    return Intake(database, ArrivalStore(database, clock), Ids(clock), lambda: None)
