import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from smarthost.audit.store import AuditLog
from smarthost.clock import SystemClock
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.mail_queue.arrivals.store import ArrivalStore
from smarthost.mail_queue.intake import Intake
from smarthost.webhooks.store import WebhookStore
from smarthost.webhooks.waiting.store import WaitingEvents
from tests.authority import showing
from tests.engines import ENGINES, migrated_database
from tests.http_servers import HOST
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.conftest import make_portal
from tests.webhooks.told import RING


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def shown(authority: trustme.CA) -> ssl.SSLContext:
    """What the receiver at `HOST` shows."""
    return showing(authority.issue_cert(HOST))


@pytest.fixture
def clock() -> HeldClock:
    """The machine's time, so that signatures are as fresh as their verifier wants them."""
    return HeldClock(SystemClock().now())


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def database(engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(engine, tmp_path) as opened:
        yield opened


@pytest.fixture
def store(database: Database, clock: HeldClock) -> WebhookStore:
    return WebhookStore(database, AuditLog(clock, Ids(clock)), clock, RING)


@pytest.fixture
def waiting(database: Database, clock: HeldClock) -> WaitingEvents:
    return WaitingEvents(database, clock, Ids(clock), RING)


@pytest.fixture
def intake(database: Database, clock: HeldClock) -> Intake:
    return Intake(database, ArrivalStore(database, clock), Ids(clock), lambda: None)


@pytest.fixture
async def portal(database: Database, clock: HeldClock) -> str:
    return await make_portal(database, clock, "first")


@pytest.fixture
async def neighbour(database: Database, clock: HeldClock) -> str:
    return await make_portal(database, clock, "second")
