from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.secret import Secret
from tests.clocks import FakeClock
from tests.database.copy.installation import write_installation
from tests.engines import make_database


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The octets of an installation's file, which nobody has open."""
    path = tmp_path_factory.mktemp("written") / "smarthost.db"
    write_installation(path, FakeClock())
    return path.read_bytes()


@pytest.fixture
def path(written: bytes, tmp_path: Path) -> Path:
    """An installation with something in every table."""
    path = tmp_path / "smarthost.db"
    path.write_bytes(written)
    return path


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[PostgresqlDatabase]:
    """A server's database with nothing in it."""
    database = PostgresqlDatabase(Secret(make_database(tmp_path)))
    yield database
    await database.close()
