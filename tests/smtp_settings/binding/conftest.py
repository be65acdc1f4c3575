import pytest

from smarthost.audit.store import AuditLog
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.smtp_settings.binding.store import BindingStore
from smarthost.smtp_settings.binding.tokens.store import TokenStore
from smarthost.smtp_settings.sealing import KeyRing
from tests.clocks import FakeClock
from tests.smtp_settings.binding.bindings import Known


@pytest.fixture
def bindings(database: Database, clock: FakeClock, ring: KeyRing) -> BindingStore:
    return BindingStore(database, AuditLog(clock, Ids(clock)), clock, ring, Known())


@pytest.fixture
def tokens(database: Database, clock: FakeClock, ring: KeyRing) -> TokenStore:
    return TokenStore(database, clock, ring)
