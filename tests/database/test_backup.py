"""Back-ups: whole whatever happens meanwhile, marked, and never in anything's place."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from smarthost.database.backup import back_up, restore
from smarthost.database.backup_mark import mark_in, marked_at, remove_mark
from smarthost.database.draft_file import TargetExistsError
from smarthost.database.engine import StoreFullError, StoreUnavailableError, Transaction
from smarthost.database.migrate import migrate, migrations
from smarthost.database.sqlite import SqliteDatabase
from tests.clocks import START, FakeClock
from tests.disks import small_disk
from tests.processes import injecting, need_tracing, run_python, start_python

KEY = "INSERT INTO sealing_keys (key_id, first_used_at) VALUES (?, ?)"
# A transaction writes as many rows of `one` as of `two`: a copy has both of each, or neither.
LOAD = """
import apsw, sys
connection = apsw.Connection(sys.argv[1])
connection.set_busy_timeout(60_000)
connection.pragma("synchronous", "normal")
number = 0
while True:
    with connection:
        connection.execute("INSERT INTO one VALUES (?, ?)", (sys.argv[2], number))
        connection.execute("INSERT INTO two VALUES (?, ?)", (sys.argv[2], number))
    number += 1
    if number == 20:
        print("loading", flush=True)
"""
BACK_UP = """
import sys
from pathlib import Path
from smarthost.database.backup import back_up
from smarthost.database.engine import StoreUnavailableError

try:
    copied = back_up(Path(sys.argv[1]), Path(sys.argv[2]), 1, lambda share: None)
    print(copied.octets)
except StoreUnavailableError as error:
    print(f"refused: {error}")
"""
WITH_A_SMALL_LIMIT = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
{BACK_UP}
"""


def nothing(_share: float) -> None:
    """Show nothing."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "smarthost.db"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A place for a back-up, in a folder with nothing else in it."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "night.db"


@pytest.fixture
def database(path: Path) -> Iterator[apsw.Connection]:
    """A store that is open, with one row of ours."""

    async def make() -> None:
        made = SqliteDatabase(path)
        await migrate(made, FakeClock())
        await made.close()

    asyncio.run(make())
    with opened(path) as connection:
        connection.execute(KEY, ("a key", 5))
        yield connection


@contextlib.contextmanager
def opened(path: Path) -> Iterator[apsw.Connection]:
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        connection.set_busy_timeout(60_000)
        yield connection


def number(connection: apsw.Connection, sql: str) -> int:
    return int(str(connection.execute(sql).fetchall()[0][0]))


def mark_of(path: Path) -> list[object]:
    with opened(path) as copy:
        return [row[0] for row in copy.execute("SELECT taken_at FROM backup_mark").fetchall()]


def test_a_back_up_of_an_open_store_is_one_whole_file(
    database: apsw.Connection, path: Path, target: Path
) -> None:
    shares: list[float] = []
    copied = back_up(path, target, START, shares.append)
    assert list(target.parent.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o600
    assert (copied.path, copied.octets) == (target, target.stat().st_size)
    assert (copied.taken_at, copied.schema_version) == (START, migrations("sqlite")[-1].version)
    assert (copied.rows["sealing_keys"], copied.rows["users"]) == (1, 0)
    assert "backup_mark" not in copied.rows
    assert all(0 <= share <= 1 for share in shares)
    with opened(target) as copy:
        assert copy.pragma("integrity_check") == "ok"
        assert copy.execute("SELECT * FROM sealing_keys").fetchall() == [("a key", 5)]


def test_the_copy_alone_is_marked(database: apsw.Connection, path: Path, target: Path) -> None:
    back_up(path, target, START, nothing)
    assert mark_of(target) == [START]
    tables = "SELECT name FROM sqlite_schema WHERE name = 'backup_mark'"
    assert database.execute(tables).fetchall() == []


def test_a_copy_of_an_unopened_copy_is_as_old_as_the_first(
    database: apsw.Connection, path: Path, target: Path
) -> None:
    back_up(path, target, START, nothing)
    again = target.with_name("again.db")
    assert back_up(target, again, START + 5, nothing).taken_at == START
    assert mark_of(again) == [START]


def test_the_mark_is_taken_once(database: apsw.Connection, path: Path, target: Path) -> None:
    back_up(path, target, START, nothing)

    async def take(tx: Transaction) -> int | None:
        taken_at = await mark_in(tx, "sqlite")
        if taken_at is not None:
            await remove_mark(tx)
        return taken_at

    async def twice() -> None:
        copies = [SqliteDatabase(target) for _ in range(2)]
        assert [await copy.transact(take) for copy in copies] == [START, None]
        assert [await marked_at(copy) for copy in copies] == [None, None]
        for copy in copies:
            await copy.close()

    asyncio.run(twice())


def test_what_was_deleted_is_in_no_back_up(
    database: apsw.Connection, path: Path, target: Path
) -> None:
    database.execute(KEY, ("CANARY" * 10_000, 5))
    database.execute("DELETE FROM sealing_keys WHERE key_id LIKE 'CANARY%'")
    back_up(path, target, START, nothing)
    assert b"CANARYCANARY" in path.read_bytes() + path.with_name("smarthost.db-wal").read_bytes()
    assert b"CANARY" not in target.read_bytes()


def test_a_file_that_is_there_is_not_touched(
    database: apsw.Connection, path: Path, target: Path
) -> None:
    target.write_bytes(b"mine")
    with pytest.raises(TargetExistsError, match="Choose a new name"):
        back_up(path, target, START, nothing)
    assert target.read_bytes() == b"mine"


def test_it_ends_under_load_and_is_of_one_moment(
    database: apsw.Connection, path: Path, target: Path
) -> None:
    """Page by page it would begin anew at each of these commits."""
    database.execute("CREATE TABLE one (who TEXT, number INTEGER)")
    database.execute("CREATE TABLE two (who TEXT, number INTEGER)")
    ballast = "INSERT INTO one VALUES (hex(randomblob(500000)), -1)"
    for _ in range(20):
        database.execute(ballast)
    loads = [start_python(LOAD, path, number) for number in range(3)]
    try:
        for load in loads:
            assert load.stdout is not None
            assert load.stdout.readline() == "loading\n"
        count = "SELECT count(*) FROM one WHERE number >= 0"
        before = number(database, count)
        back_up(path, target, START, nothing)
        at_the_end = number(database, count)
    finally:
        for load in loads:
            load.kill()
            load.communicate(timeout=60)
    with opened(target) as copy:
        assert copy.pragma("integrity_check") == "ok"
        kept = number(copy, count)
        both = "SELECT who, number FROM one WHERE number >= 0 EXCEPT SELECT * FROM two"
        assert copy.execute(both).fetchall() == []
        assert copy.execute("SELECT count(*) FROM two").fetchall() == [(kept,)]
    assert 60 <= before <= kept < at_the_end, "and it was a load all the time"


@pytest.mark.needs("strace")
@pytest.mark.parametrize(
    "call",
    [
        *("pwrite64:when=1", "pwrite64:when=30", "fsync:when=1", "link:when=1"),
        *("unlink:when=1", "unlink:when=2", "fsync:when=2"),
    ],
)
def test_a_kill_leaves_a_whole_back_up_or_none(
    database: apsw.Connection, path: Path, target: Path, call: str
) -> None:
    need_tracing()
    ended = run_python(BACK_UP, path, target, under=injecting(f"{call}:signal=KILL"))
    assert ended.status == -signal.SIGKILL, (ended.lines, ended.errors)
    if target.exists():
        with opened(target) as copy:
            assert copy.pragma("integrity_check") == "ok"
        assert mark_of(target) == [1]
        target.unlink()
    back_up(path, target, START, nothing)
    assert list(target.parent.iterdir()) == [target], "what the dead one left is gone"


def test_breaking_it_off_leaves_no_file(
    database: apsw.Connection, path: Path, target: Path
) -> None:
    database.execute("CREATE TABLE many (number INTEGER)")
    fill = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
        "INSERT INTO many SELECT i FROM n"
    )
    database.execute(fill)

    def ctrl_c(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(path, target, START, ctrl_c)
    assert list(target.parent.iterdir()) == []


@pytest.mark.needs("mount", "umount")
def test_a_disk_without_room_is_told_before_anything_is_written(
    database: apsw.Connection, path: Path, tmp_path: Path
) -> None:
    with small_disk(tmp_path, "size=100k,mode=0700") as disk:
        with pytest.raises(StoreFullError, match="Free some space"):
            back_up(path, disk / "night.db", START, nothing)
        assert list(disk.iterdir()) == []


def test_a_disk_that_fills_meanwhile_leaves_no_file(
    database: apsw.Connection, path: Path, target: Path
) -> None:
    database.execute(KEY, ("x" * 500_000, 5))
    ended = run_python(WITH_A_SMALL_LIMIT, path, target)
    assert ended.status == 0, ended.errors
    assert ended.lines[0].startswith("refused: "), ended.lines
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("missing", ["source", "folder"])
def test_what_is_missing_is_named(
    database: apsw.Connection, path: Path, target: Path, missing: str
) -> None:
    source = path.with_name("no.db") if missing == "source" else path
    aim = target if missing == "source" else target.parent / "no" / "night.db"
    with pytest.raises(StoreUnavailableError, match=r"no\.db|night\.db"):
        back_up(source, aim, START, nothing)
    assert list(target.parent.iterdir()) == []


def test_a_back_up_is_put_where_the_database_was(
    database: apsw.Connection, path: Path, target: Path
) -> None:
    back_up(path, target, START, nothing)
    before = target.read_bytes()
    (path.parent / "new").mkdir()
    place = path.parent / "new" / "smarthost.db"
    assert restore(target, place, nothing).taken_at == START
    assert target.read_bytes() == before
    assert place.stat().st_mode & 0o777 == 0o600
    assert mark_of(place) == [START]


def test_a_plain_copy_is_marked_with_the_time_of_its_file(
    database: apsw.Connection, path: Path, target: Path
) -> None:
    with opened(path) as source:
        source.execute("VACUUM INTO ?", (str(target),))
    restored = restore(target, target.with_name("smarthost.db"), nothing)
    assert restored.taken_at == target.stat().st_mtime_ns // 1_000
    assert mark_of(restored.path) == [restored.taken_at]


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", "-journal"])
def test_nothing_of_an_earlier_database_may_be_left(
    database: apsw.Connection, path: Path, target: Path, ending: str
) -> None:
    """A log beside another file than its own would be played into that one."""
    back_up(path, target, START, nothing)
    left = target.with_name(f"smarthost.db{ending}")
    left.write_bytes(b"left")
    with pytest.raises(TargetExistsError, match="Stop the service, move smarthost"):
        restore(target, target.with_name("smarthost.db"), nothing)
    assert left.read_bytes() == b"left"
    assert sorted(target.parent.iterdir()) == sorted([target, left])


@pytest.mark.parametrize("content", [b"", b"no database" * 1_000])
def test_what_is_no_back_up_is_refused(target: Path, content: bytes) -> None:
    target.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match=r"night\.db"):
        restore(target, target.with_name("smarthost.db"), nothing)
    assert list(target.parent.iterdir()) == [target]


def test_a_damaged_back_up_is_refused(database: apsw.Connection, path: Path, target: Path) -> None:
    database.execute(KEY, ("x" * 100_000, 5))
    back_up(path, target, START, nothing)
    with target.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 16384)
    with pytest.raises(StoreUnavailableError, match="damaged"):
        restore(target, target.with_name("smarthost.db"), nothing)
    assert list(target.parent.iterdir()) == [target]


def test_a_newer_programs_back_up_is_refused(
    database: apsw.Connection, path: Path, target: Path
) -> None:
    newer = "INSERT INTO schema_migrations (version, name, applied_at) VALUES (99, 'later', 0)"
    database.execute(newer)
    back_up(path, target, START, nothing)
    with pytest.raises(StoreUnavailableError, match=r"schema version 99.*newer Smarthost"):
        restore(target, target.with_name("smarthost.db"), nothing)
    assert list(target.parent.iterdir()) == [target]
