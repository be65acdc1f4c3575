from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarthost.database.engine import Database
from tests.engines import ENGINES, migrated_database
from tests.failure_notices.world import World
from tests.mail_queue.clocks import HeldClock


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def database(engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(engine, tmp_path) as opened:
        yield opened


@pytest.fixture
async def world(database: Database, clock: HeldClock) -> World:
    made = World(database, clock)
    await made.begin()
    return made
