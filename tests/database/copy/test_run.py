"""A copy has every row, says so only when it is true, and survives whatever happens to it."""

import asyncio
import os
import random
import signal
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from servers.postgresql import apart
from smarthost.database.copy.mark import is_unfinished, read_mark
from smarthost.database.copy.model import (
    Copied,
    Progress,
    Show,
    SourceNotReadyError,
    TargetTakenError,
)
from smarthost.database.copy.run import copy
from smarthost.database.copy.tables import NOT_COPIED
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.database.migrate import migrate
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.sqlite import SqliteDatabase
from tests.clocks import START, FakeClock
from tests.database.copy.installation import execute, write_installation
from tests.engines import columns, executing, make_database
from tests.processes import start_python

pytestmark = pytest.mark.needs("postgres")

KILLS = 20
STEPS = 110
"""Before a kill, at the most; each table is one, and each batch."""
BATCH = 7
"""Rows at once, so that a small installation takes many."""
# Loaded once, and then a process for each line: it copies until it is killed or done.
COPYING = """
import asyncio, os, sys
from pathlib import Path
from smarthost.clock import SystemClock
from smarthost.database.copy.run import copy
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.secret import Secret

async def main():
    database = PostgresqlDatabase(Secret(sys.argv[2]))
    step = lambda progress: os.write(1, b".\\n")
    await copy(Path(sys.argv[1]), database, SystemClock(), step, rows_at_once=2)

for _ in sys.stdin:
    child = os.fork()
    if not child:
        os.write(1, b"%d\\n" % os.getpid())
        asyncio.run(main())
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def nothing(_progress: Progress) -> None:
    """Show nothing."""


class BrokenOffError(Exception):
    """What stands for Ctrl-C."""


def breaking_off(batches: int) -> Show:
    """Break a copy off after so many steps."""
    left = iter(range(batches))

    def show(progress: Progress) -> None:
        if next(left, None) is None:
            raise BrokenOffError

    return show


async def run(path: Path, target: PostgresqlDatabase, show: Show = nothing) -> Copied:
    return await copy(path, target, FakeClock(), show, rows_at_once=BATCH)


async def rows_of(database: Database) -> dict[str, list[str]]:
    """Every row of every table, in an order that owes nothing to what is tested."""
    found: dict[str, list[str]] = {}
    for table, column in sorted(await columns(database)):
        if table not in NOT_COPIED and table != "copy_mark":
            found.setdefault(table, []).append(column)
    return {
        table: sorted(map(shown, await database.fetch(f"SELECT {', '.join(names)} FROM {table}")))
        for table, names in found.items()
    }


def shown(row: Sequence[Any]) -> str:
    """A row as a server has it, whose text has no NUL."""
    return repr([one.replace("\0", "\ufffd") if isinstance(one, str) else one for one in row])


async def rows_in(path: Path) -> dict[str, list[str]]:
    database = SqliteDatabase(path)
    found = await rows_of(database)
    await database.close()
    return found


async def test_every_row_of_every_table_arrives(
    path: Path, written: bytes, target: PostgresqlDatabase
) -> None:
    steps: list[Progress] = []
    copied = await run(path, target, steps.append)
    assert await asyncio.to_thread(path.read_bytes) == written
    theirs = await rows_of(target)
    assert theirs == await rows_in(path)
    assert all(theirs.values()), "there is something in every table"
    assert {one.table: one.rows for one in copied.tables} == {
        table: len(rows) for table, rows in theirs.items()
    }
    assert all(one.alike for one in copied.tables)
    assert (copied.finished_at, copied.already) == (START, False)
    assert copied.rows == sum(map(len, theirs.values()))
    shares = [step.share for step in steps]
    assert shares == sorted(shares)
    assert (shares[0] < 0.1, shares[-1]) == (True, 1.0)
    assert all(step.rows <= step.of for step in steps)
    assert not await is_unfinished(target)


async def test_the_same_typed_again_does_nothing(path: Path, target: PostgresqlDatabase) -> None:
    await run(path, target)
    await target.transact(executing("DELETE FROM hold_notices"))  # somebody uses it
    again = await run(path, target)
    assert (again.already, again.finished_at, again.rows, again.tables) == (True, START, 0, ())
    assert (await rows_of(target))["hold_notices"] == []


async def test_what_comes_later_goes_on_behind_it(path: Path, target: PostgresqlDatabase) -> None:
    await run(path, target)
    event = (
        "INSERT INTO audit_events (portal_id, id, at, actor, action, subject, details)"
        " VALUES ('p1', 'new', 1, 'operator', 'x.y', 's', '{}')"
    )
    await target.transact(executing(event))
    numbers = await target.fetch(
        "SELECT number, id FROM audit_events ORDER BY number DESC LIMIT 2"
    )
    assert numbers[0] == (numbers[1][0] + 1, "new")
    with pytest.raises(asyncpg.RaiseError, match="never changed"):
        await target.transact(executing("UPDATE messages SET size = 4"))


async def test_one_that_was_broken_off_goes_on(path: Path, target: PostgresqlDatabase) -> None:
    with pytest.raises(BrokenOffError):
        await run(path, target, breaking_off(40))
    assert await is_unfinished(target)
    copied = await run(path, target)
    assert copied.finished_at is not None
    assert 0 < copied.rows < sum(one.rows for one in copied.tables)
    assert await rows_of(target) == await rows_in(path)


async def test_it_begins_anew_if_the_file_was_written_meanwhile(
    path: Path, target: PostgresqlDatabase
) -> None:
    with pytest.raises(BrokenOffError):
        await run(path, target, breaking_off(40))
    execute(path, "DELETE FROM users WHERE id = 'v'; UPDATE users SET email = 'new@example.com'")
    copied = await run(path, target)
    assert copied.rows == sum(one.rows for one in copied.tables)
    assert await rows_of(target) == await rows_in(path)


async def test_a_finished_copy_is_never_written_over(
    path: Path, target: PostgresqlDatabase
) -> None:
    await run(path, target)
    execute(path, "UPDATE users SET email = 'new@example.com' WHERE id = 'u'")
    before = await rows_of(target)
    with pytest.raises(TargetTakenError, match="the file was written since"):
        await run(path, target)
    assert await rows_of(target) == before


@pytest.mark.parametrize("finished", [True, False])
async def test_a_copy_of_another_installation_is_refused(
    path: Path, target: PostgresqlDatabase, finished: bool
) -> None:
    if finished:
        await run(path, target)
    else:
        with pytest.raises(BrokenOffError):
            await run(path, target, breaking_off(40))
    before = await rows_of(target)
    execute(path, "UPDATE schema_migrations SET applied_at = 5 WHERE version = 1")
    with pytest.raises(TargetTakenError, match="of another installation"):
        await run(path, target)
    assert await rows_of(target) == before


async def test_an_installation_is_refused_and_not_even_upgraded(
    path: Path, target: PostgresqlDatabase
) -> None:
    await migrate(target, FakeClock())
    await target.transact(executing("INSERT INTO sealing_keys VALUES ('theirs', 1)"))
    await target.transact(executing("DELETE FROM schema_migrations WHERE version > 1"))
    with pytest.raises(TargetTakenError, match="holds an installation already"):
        await run(path, target)
    assert await target.fetch("SELECT max(version) FROM schema_migrations") == [(1,)]
    assert await read_mark(target) is None


async def test_tables_with_nothing_in_them_are_filled(
    path: Path, target: PostgresqlDatabase
) -> None:
    await migrate(target, FakeClock())
    assert (await run(path, target)).finished_at is not None


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE users SET email = 'x@example.com' WHERE portal_id = 'p1' AND id = 'u'",
        "INSERT INTO users VALUES ('p1', 'w', 'x@example.com', 'user', NULL, 1)",
        "DELETE FROM users WHERE portal_id = 'p1' AND id = 'v'",
    ],
)
async def test_a_table_that_differs_is_named_and_copied_anew_the_next_time(
    path: Path, target: PostgresqlDatabase, sql: str, tmp_path: Path
) -> None:
    change = partial(statement, make_database(tmp_path), sql)
    changed: list[object] = []

    def show(progress: Progress) -> None:
        if progress.comparing and not changed:
            changed.append(apart(change()))

    copied = await run(path, target, show)
    assert copied.finished_at is None
    assert "users" in {one.table for one in copied.tables if not one.alike}
    assert await is_unfinished(target)
    again = await run(path, target)
    assert again.finished_at is not None
    assert again.rows == sum(one.rows for one in again.tables)
    assert await rows_of(target) == await rows_in(path)


async def statement(url: str, sql: str) -> Sequence[Any]:
    connection = await asyncpg.connect(url)
    try:
        found: Sequence[Any] = await connection.fetch(sql)
        return found
    finally:
        await connection.close()


async def test_a_row_that_breaks_a_rule_is_told(path: Path, target: PostgresqlDatabase) -> None:
    orphan = "DELETE FROM users WHERE id = 'v'"
    execute(path, f"PRAGMA foreign_keys = off; {orphan}")
    with pytest.raises(SourceNotReadyError, match="api_keys breaks a rule"):
        await run(path, target)
    assert await is_unfinished(target)


async def test_it_goes_on_after_the_server_has_ended_its_session(
    path: Path, target: PostgresqlDatabase, tmp_path: Path
) -> None:
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    steps: list[Progress] = []

    def show(progress: Progress) -> None:
        steps.append(progress)
        if len(steps) == 30:
            apart(statement(make_database(tmp_path), end))

    with pytest.raises(StoreUnavailableError):
        await run(path, target, show)
    assert (await run(path, target)).finished_at is not None
    assert await rows_of(target) == await rows_in(path)


async def test_another_session_that_copies_is_waited_for_and_then_refused(
    path: Path, target: PostgresqlDatabase, tmp_path: Path
) -> None:
    other = await asyncpg.connect(make_database(tmp_path))
    await other.fetch("SELECT pg_advisory_lock(hashtextextended('copy', 7250))")
    with pytest.raises(TargetTakenError, match="being copied to already"):
        await run(path, target)
    await other.close()
    assert (await run(path, target)).finished_at is not None


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """An installation that takes a second or two, two rows at once."""
    path = tmp_path / "smarthost.db"
    write_installation(path, FakeClock(), 200)
    return path


async def test_a_kill_at_any_point_loses_nothing(
    large: Path, target: PostgresqlDatabase, tmp_path: Path
) -> None:
    chance = random.Random(9)
    reached: list[int] = []
    with start_python(COPYING, large, make_database(tmp_path)) as process:
        try:
            for kill in range(KILLS):
                # Some fall before the first row, all others behind so many batches.
                steps = 0 if kill % 5 == 4 else chance.randrange(1, STEPS)
                assert await copy_and_die(process, steps, chance) == -signal.SIGKILL
                reached.append(await rows_there(target))
            assert await copy_and_die(process, None, chance) == 0
        finally:
            process.kill()
    assert reached == sorted(reached)
    assert len(set(reached)) > KILLS // 2, reached
    assert not await is_unfinished(target)
    assert await rows_of(target) == await rows_in(large)


async def copy_and_die(
    process: "subprocess.Popen[str]", steps: int | None, chance: random.Random
) -> int:
    """Copy until so many steps are done and a moment more; return how that ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("copy\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    if steps is not None:
        for _ in range(steps):
            assert process.stdout.readline() == ".\n"
        await asyncio.sleep(chance.uniform(0, 0.02 if steps == 0 else 0.002))
        os.kill(child, signal.SIGKILL)
    return int(next(line for line in iter(process.stdout.readline, "") if line != ".\n"))


async def rows_there(database: Database) -> int:
    tables = {table for table, _ in await columns(database)} - {*NOT_COPIED, "copy_mark"}
    counts = [f"(SELECT count(*) FROM {table})" for table in sorted(tables)]
    return int((await database.fetch(f"SELECT 0 + {' + '.join(counts)}"))[0][0]) if counts else 0
