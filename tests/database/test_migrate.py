import asyncio
import signal
from importlib import resources
from pathlib import Path

import pytest

from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.database.migrate import migrate, migrations, schema_version
from tests.clocks import START, FakeClock
from tests.engines import ENGINES, executing, make_store, open_database
from tests.processes import need_tracing, run_python, start_python

MIGRATE = """
import asyncio, sys
from pathlib import Path
from smarthost.clock import SystemClock
from smarthost.database.migrate import migrate
from tests.engines import open_database

async def main():
    database = open_database(sys.argv[1], Path(sys.argv[2]))
    print(await migrate(database, SystemClock()))
    await database.close()

sys.stdin.readline()
asyncio.run(main())
"""
LEDGER = "SELECT version, name, applied_at FROM schema_migrations ORDER BY version"
TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def applied(database: Database) -> list[str]:
    return [row[1] for row in await database.fetch(LEDGER)]


async def test_every_migration_runs_once_and_is_written_down(engine: str, tmp_path: Path) -> None:
    database = open_database(engine, tmp_path)
    known = migrations(engine)
    assert await migrate(database, FakeClock()) == len(known)
    assert await database.fetch(LEDGER) == [(one.version, one.name, START) for one in known]
    assert await migrate(database, FakeClock()) == 0
    await database.close()


async def test_the_version_is_told_without_making_a_table(engine: str, tmp_path: Path) -> None:
    database = open_database(engine, tmp_path)
    assert await schema_version(database) is None
    assert await schema_version(database) is None, "asking has made nothing"
    await migrate(database, FakeClock())
    assert await schema_version(database) == migrations(engine)[-1].version
    await database.transact(executing("DELETE FROM schema_migrations"))
    assert await schema_version(database) == 0
    await database.close()


def test_versions_are_counted_without_a_gap(engine: str) -> None:
    known = migrations(engine)
    assert [one.version for one in known] == list(range(1, len(known) + 1))
    assert all(one.name for one in known)


def test_every_file_is_a_migration_of_some_engine() -> None:
    files = {
        file.name for file in (resources.files("smarthost.database") / "migrations").iterdir()
    }
    taken = {
        f"{one.version:04}_{one.name}.{dialect}.sql"
        for dialect in ("sqlite", "postgresql")
        for one in migrations(dialect)
    }
    assert {name for name in files if not name.startswith("__")} == taken


async def test_the_schema_of_a_newer_program_is_refused_and_left_alone(
    engine: str, tmp_path: Path
) -> None:
    database = open_database(engine, tmp_path)
    await migrate(database, FakeClock())
    newer = "INSERT INTO schema_migrations (version, name, applied_at) VALUES (99, 'later', 0)"
    await database.transact(executing(newer))
    with pytest.raises(StoreUnavailableError, match=r"schema version 99.*Start the newer"):
        await migrate(database, FakeClock())
    assert await applied(database) == [*(one.name for one in migrations(engine)), "later"]
    await database.close()


async def test_openers_at_the_same_moment_apply_each_migration_once(
    engine: str, tmp_path: Path
) -> None:
    databases = [open_database(engine, tmp_path) for _ in range(4)]
    counts = await asyncio.gather(*(migrate(database, FakeClock()) for database in databases))
    assert sum(counts) == len(migrations(engine))
    for database in databases:
        assert await applied(database) == [one.name for one in migrations(engine)]
        await database.close()


def test_processes_at_the_same_moment_apply_each_migration_once(
    engine: str, tmp_path: Path
) -> None:
    make_store(engine, tmp_path)
    processes = [start_python(MIGRATE, engine, tmp_path) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=60) for process in processes]
    assert [errors for _, errors in ended] == [""] * 4
    assert sum(int(output.splitlines()[-1]) for output, _ in ended) == len(migrations(engine))


@pytest.mark.needs("strace")
@pytest.mark.parametrize("write", [1, 2, 3, 5, 8, 12, 20, 30])
async def test_a_kill_in_the_middle_leaves_the_last_whole_one(tmp_path: Path, write: int) -> None:
    need_tracing()
    inject = f"inject=pwrite64:signal=KILL:when={write}"
    words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", inject]
    ended = await asyncio.to_thread(run_python, MIGRATE, "sqlite", tmp_path, under=words)
    assert ended.status == -signal.SIGKILL, ended.errors
    known = [one.name for one in migrations("sqlite")]
    database = open_database("sqlite", tmp_path)
    tables = {row[0] for row in await database.fetch(TABLES)}
    kept = await applied(database) if "schema_migrations" in tables else []
    assert kept == known[: len(kept)]
    assert ("users" in tables) == bool(kept)
    assert await migrate(database, FakeClock()) == len(known) - len(kept)
    assert await database.fetch("PRAGMA integrity_check") == [("ok",)]
    assert await database.fetch("PRAGMA foreign_key_check") == []
    await database.close()
