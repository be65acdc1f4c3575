"""Writers of several processes take turns, though SQLite has no queue for them."""

import contextlib
from itertools import pairwise
from pathlib import Path

import apsw

from tests.processes import start_python

WRITING = """
import asyncio, sys, time
from pathlib import Path
from smarthost.database.sqlite import SqliteDatabase

async def main(path, name):
    database = SqliteDatabase(Path(path))
    async def work(tx):
        await tx.execute("INSERT INTO written (name) VALUES ($1)", name)
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        await database.transact(work)
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


def test_processes_that_write_without_a_pause_take_turns(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    with contextlib.closing(apsw.Connection(str(file))) as store:
        store.pragma("journal_mode", "wal")
        store.execute("CREATE TABLE written (number INTEGER PRIMARY KEY, name TEXT)")
        with contextlib.ExitStack() as stack:
            processes = [stack.enter_context(start_python(WRITING, file, name)) for name in "ab"]
            for process in processes:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
            for process in processes:
                _, errors = process.communicate(timeout=60)
                assert process.returncode == 0, errors
        names = [row[0] for row in store.execute("SELECT name FROM written ORDER BY number")]
    turns = sum(before != after for before, after in pairwise(names))
    assert set(names) == {"a", "b"}
    # With SQLite's own waiting it is one of fifty; on two idle processors every second one.
    assert turns > len(names) / 25, f"{turns} turns in {len(names)} commits"
