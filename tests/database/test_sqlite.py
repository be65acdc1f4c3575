"""What only SQLite can do wrong: the file, its locks, a full disk, a disk that fails."""

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from smarthost.database.engine import StoreUnavailableError, Transaction
from smarthost.database.sqlite import SqliteDatabase, _check_version
from tests.disks import small_disk
from tests.engines import executing
from tests.processes import Ended, need_tracing, run_python, start_python

INSERT = "INSERT INTO notes (text) VALUES ($1)"
CREATE = "CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)"

# Starts with `database` and the table `notes`, tells each commit on its standard output.
PROGRAM = """
import asyncio, sys
from pathlib import Path
from smarthost.database.engine import StoreUnavailableError
from smarthost.database.sqlite import SqliteDatabase
from tests.engines import executing

INSERT = "INSERT INTO notes (text) VALUES ($1)"
CREATE = "CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)"

def tell(text):
    sys.stdout.write(f"{text}\\n")
    sys.stdout.flush()

async def main():
    database = SqliteDatabase(Path(sys.argv[1]))
    await database.transact(executing(CREATE))
    await work(database)
    await database.close()
"""
ONE_BY_ONE = (
    PROGRAM
    + """
async def work(database):
    for number in range(5):
        await database.transact(executing(INSERT, str(number)))
        tell(f"told {number}")

asyncio.run(main())
"""
)
ALL_AT_ONCE = (
    PROGRAM
    + """
async def work(database):
    await asyncio.gather(
        *(database.transact(executing(INSERT, str(number))) for number in range(1000))
    )

asyncio.run(main())
"""
)
UNTIL_IT_FAILS = (
    PROGRAM
    + """
async def work(database):
    number, refused = 0, 0
    while number < 1000 and refused < 3:
        number += 1
        try:
            await database.transact(executing(INSERT, str(number)))
        except StoreUnavailableError as error:
            refused += 1
            tell(f"refused {error}")
        else:
            tell(f"told {number}")
    try:
        await asyncio.wait_for(database.wait_failed(), 1)
        tell("failed")
    except TimeoutError:
        tell("goes on")

asyncio.run(main())
"""
)
WITH_A_SMALL_LIMIT = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
{UNTIL_IT_FAILS}
"""
HOLD_THE_LOCK = """
import apsw, sys
connection = apsw.Connection(sys.argv[1])
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
"""
OPEN_A_NEW_ONE = (
    PROGRAM
    + """
async def work(database):
    await database.transact(executing(INSERT, "here"))

sys.stdin.readline()
asyncio.run(main())
"""
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "smarthost.db"


async def texts(path: Path) -> list[str]:
    """What a new process finds in the file, which must be whole."""
    database = SqliteDatabase(path)
    try:
        assert await database.fetch("PRAGMA integrity_check") == [("ok",)]
        return [row[0] for row in await database.fetch("SELECT text FROM notes ORDER BY rowid")]
    finally:
        await database.close()


async def test_a_new_file_is_its_owners_alone(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.transact(executing(CREATE))
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    await database.close()
    assert modes == {path.name: 0o600, f"{path.name}-wal": 0o600, f"{path.name}-shm": 0o600}


async def test_both_connections_are_set_for_safety(path: Path) -> None:
    database = SqliteDatabase(path)

    async def pragmas(tx: Transaction) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")
        return [(await tx.fetch(f"PRAGMA {name}"))[0][0] for name in names]

    assert await database.transact(pragmas) == ["wal", 2, 1, 0]
    assert await database.fetch("PRAGMA query_only") == [(1,)]
    with pytest.raises(StoreUnavailableError):
        await database.fetch("CREATE TABLE sneaked_in (id TEXT)")
    await database.close()


async def test_a_large_unit_needs_no_folder_for_temporary_files(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.transact(executing(CREATE))

    async def work(tx: Transaction) -> None:
        for _ in range(100):
            await tx.execute(INSERT, "x" * 3_000)

    async def more_work(tx: Transaction) -> int:
        before = _files_without_a_name()
        await tx.execute("UPDATE notes SET text = text || 'y'")
        return _files_without_a_name() - before

    await database.transact(work)
    # On a system that is read-only there may be no such folder, and the unit would fail.
    assert await database.transact(more_work) == 0
    await database.close()


def _files_without_a_name() -> int:
    return sum(
        "(deleted)" in str(file.readlink())
        for file in Path("/proc/self/fd").iterdir()
        if file.is_symlink()
    )


async def test_a_unit_that_really_waits_is_refused_and_takes_nothing_along(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.transact(executing(CREATE))

    async def waiting(tx: Transaction) -> None:
        try:
            await tx.execute(INSERT, "bad")
            await asyncio.sleep(0)
        finally:
            await tx.execute(INSERT, "bad, and too late")

    told, *others = await asyncio.gather(
        database.transact(waiting),
        *(database.transact(executing(INSERT, "good")) for _ in range(3)),
        return_exceptions=True,
    )
    await database.close()
    assert isinstance(told, TypeError)
    assert others == [1, 1, 1]
    assert await texts(path) == ["good"] * 3


async def test_a_broken_promise_at_the_commit_fails_that_unit_alone(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.transact(executing("CREATE TABLE notes (text TEXT NOT NULL PRIMARY KEY)"))
    await database.transact(
        executing(
            "CREATE TABLE lines (note TEXT REFERENCES notes (text) DEFERRABLE INITIALLY DEFERRED)"
        )
    )
    told, *others = await asyncio.gather(
        database.transact(executing("INSERT INTO lines (note) VALUES ('none')")),
        *(database.transact(executing(INSERT, f"{number}")) for number in range(3)),
        return_exceptions=True,
    )
    await database.close()
    assert isinstance(told, apsw.ConstraintError)
    assert others == [1, 1, 1]
    assert await texts(path) == ["0", "1", "2"]


async def test_a_unit_that_ends_the_transaction_does_not_end_the_writer(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.transact(executing(CREATE))
    with pytest.raises(apsw.SQLError):
        await database.transact(executing("COMMIT"))
    assert await asyncio.wait_for(database.transact(executing(INSERT, "good")), 5) == 1
    await database.close()


@pytest.mark.parametrize("content", [b"no database" * 100, os.urandom(4096)])
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreUnavailableError, match=r"smarthost\.db is damaged"):
        SqliteDatabase(path)
    assert path.read_bytes() == content


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        StoreUnavailableError, match=r"/gone/smarthost\.db cannot be opened: No su"
    ):
        SqliteDatabase(tmp_path / "gone" / "smarthost.db")


def test_a_folder_in_the_files_place_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreUnavailableError, match="cannot be opened: Is a directory"):
        SqliteDatabase(path)


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.9.9"])
def test_an_sqlite_that_can_lose_commits_is_refused(version: str) -> None:
    with pytest.raises(StoreUnavailableError, match=rf"SQLite {version} can lose commits"):
        _check_version(version)


def test_the_sqlite_that_is_installed_will_do() -> None:
    _check_version(apsw.sqlite_lib_version())
    _check_version("3.51.3")
    _check_version("4.0.0")


async def test_a_lock_held_too_long_fails_all_who_wait_in_one_time(path: Path) -> None:
    database = SqliteDatabase(path, busy_seconds=0.3)
    await database.transact(executing(CREATE))
    process = await asyncio.to_thread(start_python, HOLD_THE_LOCK, path)
    with process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "held\n"
        started = time.monotonic()
        units = [database.transact(executing(INSERT, f"{number}")) for number in range(100)]
        results = await asyncio.gather(*units, return_exceptions=True)
        waited = time.monotonic() - started
        assert {str(got) for got in results} == {
            f"{path} is kept locked by another process. Try again when that has ended."
        }
        assert waited < 5, "100 units, each waiting by itself, take 30 seconds"
        assert await database.fetch("SELECT * FROM notes") == [], "reads go on"
        process.communicate("go\n", timeout=10)
    assert await database.transact(executing(INSERT, "later")) == 1
    await database.close()
    assert await texts(path) == ["later"]


async def test_a_short_lock_is_waited_for(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.transact(executing(CREATE))
    process = await asyncio.to_thread(start_python, HOLD_THE_LOCK, path)
    with process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "held\n"
        unit = asyncio.ensure_future(database.transact(executing(INSERT, "waited")))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(unit), 0.3)
        process.communicate("go\n", timeout=10)
    assert await unit == 1
    await database.close()


def test_processes_that_open_a_new_file_at_the_same_moment_all_succeed(path: Path) -> None:
    processes = [start_python(OPEN_A_NEW_ONE, path) for _ in range(8)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert errors == [""] * len(processes)
    assert asyncio.run(texts(path)) == ["here"] * len(processes)


def traced(trace: Path, *, inject: str = "") -> list[str]:
    """The words that run a program under strace, with its syncs and writes written to `trace`."""
    injection = ["-e", f"inject={inject}"] if inject else []
    calls = "trace=fsync,fdatasync,write,pwrite64"
    return ["strace", "-f", "-qq", "-o", f"{trace}", "-e", calls, *injection]


def told(ended: Ended) -> list[str]:
    return [line.removeprefix("told ") for line in ended.lines if line.startswith("told ")]


@pytest.mark.needs("strace")
def test_nothing_is_told_before_it_is_on_the_disk(path: Path, tmp_path: Path) -> None:
    need_tracing()
    ended = run_python(ONE_BY_ONE, path, under=traced(tmp_path / "trace"))
    assert told(ended) == ["0", "1", "2", "3", "4"], ended.errors
    synced, seen = 0, 0
    for line in (tmp_path / "trace").read_text().splitlines():
        if "sync(" in line or "sync resumed>" in line:
            synced += " = 0" in line
        elif '"told ' in line:
            seen += 1
            assert synced > 0, line
            synced = 0
    assert seen == 5


@pytest.mark.needs("strace")
def test_a_thousand_units_at_once_share_their_commits(path: Path, tmp_path: Path) -> None:
    need_tracing()
    ended = run_python(ALL_AT_ONCE, path, under=traced(tmp_path / "trace"))
    assert ended.status == 0, ended.errors
    syncs = (tmp_path / "trace").read_text().count("sync(")
    assert 4 <= syncs <= 25, "4 commits of 256 at the most, and opening, checkpoint, closing"
    assert len(asyncio.run(texts(path))) == 1000


@pytest.mark.needs("strace")
@pytest.mark.parametrize("sync", [6, 9])
def test_after_a_failed_fsync_nothing_is_promised_any_more(
    path: Path, tmp_path: Path, sync: int
) -> None:
    need_tracing()
    inject = f"fsync,fdatasync:error=EIO:when={sync}"
    ended = run_python(UNTIL_IT_FAILS, path, under=traced(tmp_path / "trace", inject=inject))
    assert "INJECTED" in (tmp_path / "trace").read_text()
    *before, first, second, third, last = ended.lines
    assert len(before) == len(told(ended)) > 0, ended.errors
    refused = f"refused {path} could not be read or written: the disk reports an I/O error."
    assert [first, second, third] == [refused] * 3, "later syncs would succeed, and are not tried"
    assert last == "failed"
    kept = asyncio.run(texts(path))
    assert kept[: len(before)] == told(ended)


@pytest.mark.needs("strace")
@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EIO"])
def test_a_failed_write_refuses_one_unit_and_later_ones_succeed(
    path: Path, tmp_path: Path, error: str
) -> None:
    need_tracing()
    inject = f"pwrite64:error={error}:when=30..31"
    ended = run_python(UNTIL_IT_FAILS, path, under=traced(tmp_path / "trace", inject=inject))
    assert "INJECTED" in (tmp_path / "trace").read_text(), ended.errors
    refused = [line for line in ended.lines if line.startswith("refused ")]
    assert 1 <= len(refused) <= 2, ended.lines
    assert ended.lines[-1] == "goes on"
    assert "told 1000" in ended.lines
    assert asyncio.run(texts(path)) == told(ended)


def test_a_file_that_may_not_grow_refuses_and_loses_nothing(path: Path) -> None:
    ended = run_python(WITH_A_SMALL_LIMIT, path)
    assert len(told(ended)) > 5, ended.errors
    assert ended.lines[-2].startswith("refused ")
    assert ended.lines[-1] == "goes on"
    assert asyncio.run(texts(path)) == told(ended)


async def test_damage_inside_a_page_is_found(path: Path) -> None:
    database = SqliteDatabase(path)
    await database.transact(executing(CREATE))
    await database.transact(executing(INSERT, "x" * 3000))
    await database.close()
    with path.open("r+b") as file:
        file.seek(-4096, os.SEEK_END)
        file.write(b"\xff" * 16)  # the header of the last page
    database = SqliteDatabase(path)
    assert await database.find_damage()
    await database.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, "size=1m") as mounted:
        yield mounted


@pytest.mark.needs("mount", "umount")
async def test_a_full_disk_refuses_and_all_goes_on_when_there_is_room_again(
    disk: Path,
) -> None:
    path, ballast = disk / "smarthost.db", disk / "ballast"
    database = SqliteDatabase(path)
    await database.transact(executing(CREATE))
    ballast.write_bytes(bytes(300_000))
    written = await _write_until_refused(database)
    assert await database.fetch("SELECT count(*) FROM notes") == [(written,)], "reads go on"
    ballast.unlink()
    assert await database.transact(executing(INSERT, "after")) == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(database.wait_failed(), 0.1)
    await database.close()
    assert len(await texts(path)) == written + 1


async def _write_until_refused(database: SqliteDatabase) -> int:
    for number in range(1000):
        try:
            await database.transact(executing(INSERT, "x" * 5000))
        except StoreUnavailableError as error:
            assert "the disk is full" in str(error)  # noqa: PT017
            return number
    pytest.fail("the disk never became full")
