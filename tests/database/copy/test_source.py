"""The file is read by one who has it alone, and only if it is what it has to be."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from smarthost.database.backup_mark import MAKE_MARK
from smarthost.database.copy.model import SourceInUseError, SourceNotReadyError
from smarthost.database.copy.source import opened_source
from smarthost.database.engine import StoreUnavailableError
from smarthost.database.migrate import migrations
from smarthost.database.sqlite import SqliteDatabase
from tests.database.copy.installation import execute
from tests.processes import start_python

NEWEST = migrations("sqlite")[-1].version
IDLE = """
import apsw, sys
connection = apsw.Connection(sys.argv[1])
print(connection.execute("SELECT count(*) FROM portals").fetchall(), flush=True)
sys.stdin.readline()
"""


def test_a_process_that_has_it_open_and_does_nothing_stands_in_the_way(path: Path) -> None:
    with start_python(IDLE, path) as idle:
        try:
            assert idle.stdout is not None
            assert idle.stdout.readline() == "[(2,)]\n"
            with pytest.raises(SourceInUseError, match="Stop it first"), opened_source(path):
                pass
        finally:
            idle.kill()
    with opened_source(path) as source:
        assert source.count(source.tables[0]) > 0


def test_nobody_writes_to_it_meanwhile(path: Path) -> None:
    with opened_source(path):
        opening = pytest.raises(StoreUnavailableError, match="kept locked by another process")
        with opening:
            SqliteDatabase(path, busy_seconds=0.01)
    asyncio.run(SqliteDatabase(path).close())


def test_its_stamp_tells_whether_anything_was_written(path: Path) -> None:
    stamps = []
    for _ in range(2):
        with opened_source(path) as source:
            stamps.append(source.stamp)
    assert len(set(stamps)) == 1
    execute(path, "UPDATE users SET role = 'user' WHERE id = 'u'")
    with opened_source(path) as source:
        assert source.stamp not in stamps


def test_large_rows_come_few_at_once(path: Path) -> None:
    for number in range(8):
        body = f"zeroblob({1_500_000})"
        execute(path, f"UPDATE webhooks SET failures = {number}")
        execute(path, f"INSERT INTO webhook_events VALUES ('p1', 'x{number}', 1, 2, 0, {body})")
    with opened_source(path) as source:
        (table,) = [one for one in source.tables if one.name == "webhook_events"]
        batches = list(source.batches(table, 0, 1000))
        assert max(sum(len(row[-1]) for row in batch) for batch in batches) < 6_000_000
        assert sum(map(len, batches)) == source.count(table)
        assert [len(batch) for batch in source.batches(table, 16, 3)] == [3, 3, 2]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (f"DELETE FROM schema_migrations WHERE version = {NEWEST}", "database upgrade"),
        ("INSERT INTO schema_migrations VALUES (99, 'later', 0)", "newer Smarthost"),
        (MAKE_MARK, "comes out of a back-up"),
        ("DROP TABLE schema_migrations", "no tables of Smarthost"),
    ],
)
def test_what_cannot_be_copied_as_it_is_is_refused(path: Path, sql: str, words: str) -> None:
    execute(path, sql)
    with pytest.raises(SourceNotReadyError, match=words), opened_source(path):
        pass


def test_a_file_that_is_none_of_sqlites_is_refused_and_a_missing_one_not_made(
    tmp_path: Path,
) -> None:
    for path in (tmp_path / "text", tmp_path / "missing"):
        with contextlib.suppress(FileExistsError):
            (tmp_path / "text").write_text("no database" * 1000)
        with pytest.raises(StoreUnavailableError), opened_source(path):
            pass
    assert not (tmp_path / "missing").exists()
