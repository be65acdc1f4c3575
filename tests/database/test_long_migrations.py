"""An upgrade of large tables takes as long as it takes; whoever started it may end it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from smarthost.clock import SystemClock
from smarthost.database.engine import Database, StoreUnavailableError, Transaction
from smarthost.database.migrate import Migration, migrate, migrations, schema_version
from tests.clocks import FakeClock
from tests.engines import ENGINES, executing, make_database, open_database
from tests.processes import start_python

ENDLESS = {
    "sqlite": "CREATE TABLE more AS WITH RECURSIVE n (i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "postgresql": "CREATE TABLE more (id TEXT); SELECT pg_sleep(3600)",
}
UNDER_WAY = """
SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()"""
PATIENCE = 30.0
UPGRADE = """
import asyncio, sys
from smarthost.clock import SystemClock
from smarthost.database.migrate import migrate
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.secret import Secret
from tests.database.test_long_migrations import ENDLESS, newer

database = PostgresqlDatabase(Secret(sys.argv[1]))
asyncio.run(migrate(database, SystemClock(), newer("postgresql", ENDLESS["postgresql"])))
"""


def newer(engine: str, script: str) -> list[Migration]:
    """Return the migrations of a program that comes after this one."""
    known = migrations(engine)
    return [*known, Migration(version=len(known) + 1, name="later", script=script)]


@pytest.fixture(params=ENGINES)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    opened = open_database(request.param, tmp_path)
    await migrate(opened, FakeClock())
    yield opened
    await opened.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Database]:
    opened = open_database("postgresql", tmp_path)
    await migrate(opened, FakeClock())
    yield opened
    await opened.close()


@pytest.fixture
async def other(server: Database, tmp_path: Path) -> AsyncIterator[Database]:
    """The same, as another process has it open."""
    opened = open_database(server.dialect, tmp_path)
    yield opened
    await opened.close()


async def test_one_that_is_cancelled_ends_soon_and_leaves_nothing(database: Database) -> None:
    before = await schema_version(database)
    for _ in range(2):
        upgrade = asyncio.create_task(
            migrate(database, SystemClock(), newer(database.dialect, ENDLESS[database.dialect]))
        )
        await asyncio.wait({upgrade}, timeout=0.2)  # the loop goes on meanwhile
        assert not upgrade.done()
        upgrade.cancel()
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({upgrade})
        assert upgrade.cancelled()
        assert await schema_version(database) == before
    later = newer(database.dialect, "CREATE TABLE more (id TEXT)")
    async with asyncio.timeout(PATIENCE):
        assert await migrate(database, SystemClock(), later) == 1
    assert await database.fetch("SELECT count(*) FROM more") == [(0,)]


async def test_the_store_can_be_read_meanwhile(database: Database) -> None:
    script = ENDLESS[database.dialect]
    upgrade = asyncio.create_task(
        migrate(database, SystemClock(), newer(database.dialect, script))
    )
    await asyncio.wait({upgrade}, timeout=0.1)
    async with asyncio.timeout(PATIENCE):
        assert await database.fetch("SELECT count(*) FROM portals") == [(0,)]
    upgrade.cancel()
    await asyncio.wait({upgrade})


async def test_one_that_fails_is_told_and_leaves_nothing(database: Database) -> None:
    before = await schema_version(database)
    later = newer(database.dialect, "CREATE TABLE more (id TEXT); SELECT missing FROM nowhere")
    with pytest.raises(Exception, match="nowhere"):
        await migrate(database, SystemClock(), later)
    assert await schema_version(database) == before
    with pytest.raises(Exception, match="more"):
        await database.fetch("SELECT count(*) FROM more")
    assert await database.transact(executing("DELETE FROM portals")) == 0


async def test_what_is_done_is_told(database: Database) -> None:
    version = await schema_version(database)
    assert version is not None
    with capture_logs() as lines:
        await migrate(database, FakeClock(), newer(database.dialect, "SELECT 1"))
        await migrate(database, FakeClock(), newer(database.dialect, "SELECT 1"))
    assert lines == [
        {
            "event": "upgrading the tables",
            "migration": "later",
            "version": version + 1,
            "of": version + 1,
            "log_level": "info",
        },
        {
            "event": "tables upgraded",
            "before": version,
            "version": version + 1,
            "log_level": "info",
        },
    ]


@pytest.mark.needs("postgres")
async def test_the_server_ends_no_statement_for_its_length(server: Database) -> None:
    script = """
    CREATE TABLE more AS SELECT current_setting('statement_timeout') AS statement,
        current_setting('lock_timeout') AS lock,
        current_setting('idle_in_transaction_session_timeout') AS idle,
        current_setting('client_connection_check_interval') AS looks"""
    await migrate(server, SystemClock(), newer("postgresql", script))
    assert await server.fetch("SELECT statement, lock, idle, looks FROM more") == [
        ("0", "2s", "5s", "1s")
    ]
    for name, value in (
        ("statement_timeout", "15s"),
        ("lock_timeout", "10s"),
    ):
        assert await server.fetch("SELECT current_setting($1)", name) == [(value,)]


@pytest.mark.needs("postgres")
async def test_a_table_that_others_keep_is_waited_for_and_nobody_waits_long_behind_it(
    server: Database, other: Database
) -> None:
    """A dump reads for an hour. What waits behind the upgrade goes on when that steps back."""
    kept, done = asyncio.Event(), asyncio.Event()

    async def read_for_long(tx: Transaction) -> None:
        await tx.fetch("SELECT count(*) FROM messages")
        kept.set()
        while not done.is_set():
            await asyncio.sleep(0.2)
            await tx.fetch("SELECT 1")

    reading = asyncio.create_task(other.transact_long(read_for_long))
    await kept.wait()
    with capture_logs() as lines:
        altering = "ALTER TABLE messages ADD COLUMN more TEXT"
        upgrade = asyncio.create_task(
            migrate(server, SystemClock(), newer("postgresql", altering))
        )
        async with asyncio.timeout(PATIENCE):
            while not any(line["event"] == "waiting for the tables" for line in lines):
                assert await other.fetch("SELECT count(*) FROM messages") == [(0,)]
        done.set()
        assert await upgrade == 1
        await reading
    assert "is kept locked by another transaction" in str(lines)


@pytest.mark.needs("postgres")
async def test_a_second_one_waits_for_the_first(server: Database, other: Database) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def be_at_it(tx: Transaction) -> None:
        await tx.lock("schema_migrations")
        begun.set()
        while not go_on.is_set():
            await asyncio.sleep(0.2)
            await tx.fetch("SELECT 1")

    first = asyncio.create_task(other.transact_long(be_at_it))
    await begun.wait()
    with capture_logs() as lines:
        second = asyncio.create_task(
            migrate(server, SystemClock(), newer("postgresql", "SELECT 1"))
        )
        async with asyncio.timeout(PATIENCE):
            while not lines:  # noqa: ASYNC110 - written by the task above
                await asyncio.sleep(0.01)
        assert not second.done()
        go_on.set()
        async with asyncio.timeout(PATIENCE):
            assert await second == 1
    await first
    assert [line["log_level"] for line in lines] == ["warning", "info", "info"]


@pytest.mark.needs("postgres")
async def test_what_a_killed_one_kept_locked_is_free_soon(
    server: Database, tmp_path: Path
) -> None:
    process = start_python(UPGRADE, make_database(tmp_path))
    async with asyncio.timeout(PATIENCE):
        while not await server.fetch(UNDER_WAY):  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.02)
    process.kill()
    await asyncio.to_thread(process.communicate)
    async with asyncio.timeout(PATIENCE):
        assert await migrate(server, SystemClock(), newer("postgresql", "SELECT 1")) == 1
        # It lets go of its locks a moment before it is gone.
        while await server.fetch(UNDER_WAY):  # noqa: ASYNC110 - the server's
            await asyncio.sleep(0.02)


async def test_a_closed_store_takes_none(database: Database) -> None:
    await database.close()
    with pytest.raises(StoreUnavailableError, match="is closed already"):
        await migrate(database, SystemClock())
