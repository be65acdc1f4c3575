"""The stores that the same tests run on, and a store with tables in it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from smarthost.database.engine import Database, Transaction, Value
from smarthost.database.migrate import migrate
from smarthost.database.sqlite import SqliteDatabase
from tests.clocks import FakeClock

ENGINES = ["sqlite"]


def open_database(engine: str, folder: Path) -> Database:
    """Open the store that belongs to `folder`; a second one is what another process sees."""
    assert engine == "sqlite"
    return SqliteDatabase(folder / "smarthost.db")


@asynccontextmanager
async def migrated_database(engine: str, folder: Path) -> AsyncIterator[Database]:
    """A store with this program's tables, closed at the end."""
    database = open_database(engine, folder)
    try:
        await migrate(database, FakeClock())
        yield database
    finally:
        await database.close()


def executing(sql: str, *values: Value) -> Callable[[Transaction], Awaitable[int]]:
    """A unit of work of one statement."""

    async def work(tx: Transaction) -> int:
        return await tx.execute(sql, *values)

    return work
