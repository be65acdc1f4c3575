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
from smarthost.portals.store import PortalStore
from tests.engines import ENGINES, migrated_database
from tests.mail_queue.clocks import HeldClock
from tests.mail_queue.messages import BY


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def store(database: Database, clock: HeldClock) -> QueueStore:
    return QueueStore(database, clock, Ids(clock), luck=lambda: 0.5)


@pytest.fixture
def woken() -> list[str]:
    """Grows when somebody is woken."""
    return []


@pytest.fixture
def intake(database: Database, clock: HeldClock, woken: list[str]) -> Intake:
    arrivals = ArrivalStore(database, clock)
    return Intake(database, arrivals, Ids(clock), lambda: woken.append("woken"))


@pytest.fixture
def messages(database: Database, clock: HeldClock) -> MessageStore:
    return MessageStore(database, AuditLog(clock, Ids(clock)), clock)


@pytest.fixture
async def portal(database: Database, clock: HeldClock) -> str:
    return await make_portal(database, clock, "first")


@pytest.fixture
async def neighbour(database: Database, clock: HeldClock) -> str:
    return await make_portal(database, clock, "second")


async def make_portal(database: Database, clock: HeldClock, name: str) -> str:
    ids = Ids(clock)
    portals = PortalStore(database, AuditLog(clock, ids), clock, ids)
    return (await portals.create_portal(name, BY)).id
