"""Writers of several processes take turns, and nobody who hangs keeps the others out."""

import contextlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import apsw
import pytest

from smarthost.database.next_writer import NextWriter
from tests.engines import executing, migrated_database
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


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[tuple[NextWriter, NextWriter]]:
    both = NextWriter(tmp_path), NextWriter(tmp_path)
    yield both
    for one in both:
        one.close()


def test_one_is_next_at_a_time(writers: tuple[NextWriter, NextWriter]) -> None:
    one, other = writers
    assert one.become()
    assert not other.become()
    one.let_in()
    assert other.become()
    other.close()
    assert one.become()


def test_where_there_is_no_such_lock_everybody_is_next(tmp_path: Path) -> None:
    one, other = (NextWriter(tmp_path / "missing") for _ in range(2))
    assert one.become()
    assert other.become()


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
    # Without manners it is one of fifty.
    assert turns > len(names) / 5, f"{turns} turns in {len(names)} commits"


async def test_who_hangs_while_it_is_next_keeps_nobody_out_for_long(tmp_path: Path) -> None:
    async with migrated_database("sqlite", tmp_path) as database:
        hanging = NextWriter(tmp_path)
        with contextlib.closing(hanging):
            assert hanging.become()
            assert await database.transact(executing("DELETE FROM portals")) == 0
