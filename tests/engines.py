"""The stores that the same tests run on, and a store with tables in it.

What belongs to one folder is one store, whoever opens it: with PostgreSQL the folder has a file
with the database's URL in it. Databases with all tables are used again and again, emptied before
each test, since that takes a millisecond and making one takes fifty.
"""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from smarthost.database.engine import Database, Transaction, Value
from smarthost.database.migrate import migrate
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.sqlite import SqliteDatabase
from smarthost.secret import Secret
from tests.clocks import FakeClock
from tests.postgresql_server import PostgresqlServer

ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgres"))]

_URL = "postgresql-url"
# Every table, column and trigger: what a test may have changed.
_SCHEMA = """
SELECT (SELECT md5(string_agg(relname || relnatts, ',' ORDER BY relname)) FROM pg_class
        WHERE relnamespace = to_regnamespace('public')),
       (SELECT md5(string_agg(tgname, ',' ORDER BY tgname)) FROM pg_trigger)"""
_COLUMNS = {
    "sqlite": "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c"
    " WHERE t.type = 'table'",
    "postgresql": "SELECT c.relname, a.attname FROM pg_class c"
    " JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind = 'r' AND a.attnum > 0"
    " AND c.relnamespace = to_regnamespace('public')",
}
_LOCK = "smtp_settings_revisions_are_immutable"
_UNLOCK = {
    "sqlite": f"DROP TRIGGER {_LOCK}",
    "postgresql": f"DROP TRIGGER {_LOCK} ON smtp_settings_revisions",
}
_TABLES = """
SELECT tablename FROM pg_tables
WHERE schemaname = 'public' AND tablename <> 'schema_migrations'"""


class _Databases:
    """Those of this process's server, which is started when the first is asked for."""

    def __init__(self) -> None:
        self.server: PostgresqlServer | None = None
        self._numbers = itertools.count(1)
        self._free: list[tuple[str, Path]] = []
        self._schema: object = None

    def url(self, name: str) -> str:
        if self.server is None:
            self.server = PostgresqlServer()
        return self.server.url(name)

    def url_of(self, folder: Path) -> str:
        """Return the URL of a folder's database, made if there is none."""
        if not (folder / _URL).exists():
            name = f"d{next(self._numbers)}"
            self.url(name)
            assert self.server is not None
            self.server.run_sql(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
            (folder / _URL).write_text(self.url(name))
        return (folder / _URL).read_text()

    async def take(self, folder: Path) -> tuple[Database, str]:
        """Open a database for a folder that has none yet, with all tables and nothing in them."""
        while self._free:
            url, before = self._free.pop()
            (before / _URL).unlink(missing_ok=True)
            database = PostgresqlDatabase(Secret(url))
            if await _emptied(database) == self._schema:
                (folder / _URL).write_text(url)
                return database, url
            await database.close()
        url = self.url_of(folder)
        database = PostgresqlDatabase(Secret(url))
        await migrate(database, FakeClock())
        self._schema = await _emptied(database)
        return database, url

    def give_back(self, url: str, folder: Path) -> None:
        """Take back what nobody has open any more; it stays the folder's until it is needed."""
        self._free.append((url, folder))

    def end(self) -> None:
        """End the server; whoever asks for a database after that gets one of a new server."""
        if self.server is not None:
            self.server.remove()
            self.server = None
            self._free.clear()


_DATABASES = _Databases()


def stop_server() -> None:
    """End this process's PostgreSQL, if it has started one."""
    _DATABASES.end()


def server() -> PostgresqlServer:
    """Return this process's PostgreSQL, once it has a database."""
    assert _DATABASES.server is not None
    return _DATABASES.server


def make_database(folder: Path) -> str:
    """Return the URL of a PostgreSQL database that belongs to `folder`, empty if it is new."""
    return _DATABASES.url_of(folder)


def open_database(engine: str, folder: Path) -> Database:
    """Open the store that belongs to `folder`; a second one is what another process sees."""
    if engine == "sqlite":
        return SqliteDatabase(folder / "smarthost.db")
    return PostgresqlDatabase(Secret(_DATABASES.url_of(folder)))


def make_store(engine: str, folder: Path) -> None:
    """Make the store that belongs to `folder`, for processes that are to open it."""
    if engine == "postgresql":
        _DATABASES.url_of(folder)


@asynccontextmanager
async def migrated_database(engine: str, folder: Path) -> AsyncIterator[Database]:
    """A store with this program's tables, closed at the end."""
    if engine == "postgresql" and not (folder / _URL).exists():
        database, url = await _DATABASES.take(folder)
        try:
            yield database
        finally:
            await database.close()
            _DATABASES.give_back(url, folder)
    else:
        database = open_database(engine, folder)
        try:
            await migrate(database, FakeClock())
            yield database
        finally:
            await database.close()


async def columns(database: Database) -> list[tuple[str, str]]:
    """Every table with every column."""
    return [(row[0], row[1]) for row in await database.fetch(_COLUMNS[database.dialect])]


async def unlock_revisions(database: Database) -> None:
    """Let revisions of settings be changed, as by a hand that is none of ours."""
    await database.transact(executing(_UNLOCK[database.dialect]))


async def _emptied(database: Database) -> object:
    """Delete every row; return what the tables are."""
    tables = [row[0] for row in await database.fetch(_TABLES)]
    # Neither triggers nor foreign keys look at what goes, which takes most of the time.
    script = (
        "SET LOCAL session_replication_role = replica",
        *(f"DELETE FROM {table}" for table in tables),
        "ALTER SEQUENCE IF EXISTS audit_events_number_seq RESTART",
    )
    await database.transact(executing(";".join(script)))
    return await database.fetch(_SCHEMA)


def executing(sql: str, *values: Value) -> Callable[[Transaction], Awaitable[int]]:
    """A unit of work of one statement."""

    async def work(tx: Transaction) -> int:
        return await tx.execute(sql, *values)

    return work
