from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from smarthost.database.engine import Database
from tests.engines import ENGINES, executing, open_database

Open = Callable[[], Database]


@pytest.fixture(params=ENGINES)
async def open_another(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Open the same store once more; all are closed at the end."""
    opened: list[Database] = []

    def _open() -> Database:
        opened.append(open_database(request.param, tmp_path))
        return opened[-1]

    yield _open
    for database in opened:
        await database.close()


@pytest.fixture
async def database(open_another: Open) -> Database:
    """A store with one empty table, `notes`."""
    database = open_another()
    await database.transact(
        executing("CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY, text TEXT, size BIGINT)")
    )
    return database
