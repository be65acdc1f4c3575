from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarthost.database.engine import Database
from tests.engines import ENGINES, migrated_database


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with migrated_database(request.param, tmp_path) as opened:
        yield opened
