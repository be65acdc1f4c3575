"""What PostgreSQL does that SQLite does not: it is refused, away, cut off, and shared."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from smarthost.clock import SystemClock
from smarthost.database.engine import (
    OutcomeUnknownError,
    StoreUnavailableError,
    Transaction,
)
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.session_lock import LockedError, SessionLocks
from smarthost.secret import Secret
from tests.database.cutting import Way, way_to
from tests.engines import executing, make_database
from tests.postgresql_server import PostgresqlServer

pytestmark = pytest.mark.needs("postgres")

INSERT = "INSERT INTO notes (id) VALUES ($1)"
COUNT = "SELECT count(*) FROM notes"
WHO = "SELECT pg_backend_pid()"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return make_database(tmp_path)


@pytest.fixture
async def database(url: str) -> AsyncIterator[PostgresqlDatabase]:
    opened = PostgresqlDatabase(Secret(url))
    await opened.transact(executing("CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY)"))
    yield opened
    await opened.close()


@pytest.fixture
async def other(url: str) -> AsyncIterator[PostgresqlDatabase]:
    """Another node."""
    opened = PostgresqlDatabase(Secret(url))
    yield opened
    await opened.close()


@pytest.fixture
async def way(url: str) -> AsyncIterator[Way]:
    folder = parse_qs(urlsplit(url).query)["host"][0]
    with tempfile.TemporaryDirectory() as here:
        async with way_to(Path(folder), Path(here)) as made:
            made.here = here
            yield made


@pytest.fixture
async def by_the_way(url: str, way: Way) -> AsyncIterator[PostgresqlDatabase]:
    folder = parse_qs(urlsplit(url).query)["host"][0]
    opened = PostgresqlDatabase(Secret(url.replace(folder, way.here)))
    yield opened
    await opened.close()


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresqlServer]:
    """A server for tests that stop it."""
    server = PostgresqlServer()
    yield server
    server.remove()


async def said(url: str) -> str:
    """Return what is said of a database that cannot be used."""
    database = PostgresqlDatabase(Secret(url))
    with pytest.raises(StoreUnavailableError) as caught:
        await database.fetch("SELECT 1")
    await database.close()
    return str(caught.value)


async def test_a_server_that_is_not_there_is_told_with_its_name_and_no_password() -> None:
    told = await said("postgresql://me:c4n4ry@127.0.0.1:1/mail")
    assert told.startswith("The database mail on 127.0.0.1:1 cannot be reached: ")
    assert "c4n4ry" not in told


async def test_of_several_servers_each_is_told_and_no_password() -> None:
    told = await said("postgresql://me:c4n4ry@127.0.0.1:1,[::1]:2/mail?sslmode=require")
    assert told.startswith(
        "The database mail on 127.0.0.1:1,[::1]:2 has no primary: 127.0.0.1:1 c"
    )
    assert " [::1]:2 cannot be reached: " in told
    assert "c4n4ry" not in told


async def test_a_database_that_is_not_there_is_told(url: str) -> None:
    assert "is not there" in await said(url.replace("@/d", "@/no_d"))


async def test_a_database_that_confirms_before_its_disk_has_it_is_refused(url: str) -> None:
    name = urlsplit(url).path.strip("/")
    database = PostgresqlDatabase(Secret(url))
    setting = f"ALTER DATABASE {name} SET synchronous_commit = off"
    await database.transact(executing(setting))
    await database.close()
    assert "set synchronous_commit = on" in await said(url)


async def test_a_server_without_fsync_is_refused() -> None:
    server = PostgresqlServer(fsync="off")
    try:
        assert "set fsync = on" in await said(server.url("postgres"))
    finally:
        server.remove()


async def test_another_encoding_is_refused(own_server: PostgresqlServer) -> None:
    await asyncio.to_thread(
        own_server.run_sql, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0"
    )
    assert "has the encoding LATIN1" in await said(own_server.url("latin"))


async def test_a_server_that_was_started_anew_is_there_again(own_server: PostgresqlServer) -> None:
    database = PostgresqlDatabase(Secret(own_server.url("postgres")))
    await database.transact(executing("CREATE TABLE notes (id TEXT)"))
    for crash in (False, True):
        await database.transact(executing(INSERT, "before"))
        await asyncio.to_thread(own_server.stop, crash=crash)
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            await database.transact(executing(INSERT, "meanwhile"))
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            await database.fetch(COUNT)
        await asyncio.to_thread(own_server.start)
        await database.transact(executing(INSERT, "after"))
    assert await database.fetch("SELECT id, count(*) FROM notes GROUP BY id ORDER BY id") == [
        ("after", 2),
        ("before", 2),
    ]
    await database.close()


async def test_a_unit_whose_backend_is_killed_is_run_again_and_written_once(
    database: PostgresqlDatabase, other: PostgresqlDatabase
) -> None:
    runs = 0

    async def work(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        await tx.execute(INSERT, "a")
        if runs == 1:
            ((backend,),) = await tx.fetch(WHO)
            await other.fetch("SELECT pg_terminate_backend($1)", backend)
            await tx.fetch(COUNT)

    await database.transact(work)
    assert runs == 2
    assert await other.fetch(COUNT) == [(1,)]


async def test_a_commit_whose_answer_never_comes_may_be_kept_and_is_told_so(
    database: PostgresqlDatabase, by_the_way: PostgresqlDatabase, way: Way
) -> None:
    await by_the_way.transact(executing(INSERT, "a"))
    way.cut_at = b"COMMIT"
    with pytest.raises(OutcomeUnknownError, match="may be kept or not"):
        await by_the_way.transact(executing(INSERT, "b"))
    assert await database.fetch(COUNT) == [(2,)], "here it was"
    assert await by_the_way.transact(executing(INSERT, "c")) == 1, "and on it goes"


async def test_a_change_by_itself_whose_answer_never_comes_is_made_again(
    database: PostgresqlDatabase, by_the_way: PostgresqlDatabase, way: Way
) -> None:
    await database.execute(INSERT, "once")
    await by_the_way.fetch(COUNT)
    way.cut_at = b"once"
    remove = "UPDATE notes SET id = 'done' WHERE id <> $1"
    assert await by_the_way.execute(remove, "at once") == 1
    assert not way.cut_at, "the first answer was lost"
    assert await database.fetch(COUNT) == [(1,)]


async def test_a_change_by_itself_that_is_cut_off_for_good_may_be_kept(
    database: PostgresqlDatabase, by_the_way: PostgresqlDatabase, way: Way
) -> None:
    await database.execute(INSERT, "before")
    await by_the_way.execute(INSERT, "a")
    way.open = False
    way.cut()
    with pytest.raises(OutcomeUnknownError, match="may be kept or not"):
        await by_the_way.execute(INSERT, "b")


async def test_two_units_that_wait_for_each_other_both_end(
    database: PostgresqlDatabase, other: PostgresqlDatabase
) -> None:
    async def both(first: str, second: str, tx: Transaction) -> None:
        await tx.lock(first)
        await asyncio.sleep(0.1)  # for the other one to have its first, most often
        await tx.lock(second)
        await tx.execute(INSERT, first)

    await asyncio.gather(
        database.transact(lambda tx: both("a", "b", tx)),
        other.transact(lambda tx: both("b", "a", tx)),
    )
    assert await database.fetch(COUNT) == [(2,)]


async def test_what_was_decided_under_a_lock_holds_on_every_node(
    database: PostgresqlDatabase, other: PostgresqlDatabase
) -> None:
    async def increment(tx: Transaction) -> int:
        await tx.lock("notes")
        count = int((await tx.fetch(COUNT))[0][0])
        await tx.execute(INSERT, f"{count}")
        return count

    nodes = (database, other)
    seen = await asyncio.gather(*(nodes[number % 2].transact(increment) for number in range(200)))
    assert sorted(seen) == list(range(200))


async def test_readers_are_answered_while_every_unit_waits(
    database: PostgresqlDatabase, other: PostgresqlDatabase
) -> None:
    locked, done = asyncio.Event(), asyncio.Event()

    async def keep(tx: Transaction) -> None:
        await tx.lock("portal")
        locked.set()
        await done.wait()

    async def wait(tx: Transaction) -> None:
        await tx.lock("portal")

    keeping = asyncio.ensure_future(other.transact(keep))
    await locked.wait()
    waiting = [asyncio.ensure_future(database.transact(wait)) for _ in range(50)]
    async with asyncio.timeout(5):
        assert await database.fetch(COUNT) == [(0,)]
    done.set()
    await asyncio.gather(keeping, *waiting)


async def test_a_statement_whose_table_has_changed_meanwhile_is_planned_anew(
    database: PostgresqlDatabase, other: PostgresqlDatabase
) -> None:
    """Its result has other columns than when it was prepared, on every connection."""
    everything = "SELECT * FROM notes"

    async def work(tx: Transaction) -> int:
        (row,) = await tx.fetch(everything)
        await asyncio.sleep(0.001)  # for others to take other connections
        return len(row)

    async def widths() -> set[int]:
        units = [database.transact(work) for _ in range(20)]
        return {*await asyncio.gather(*units), len((await database.fetch(everything))[0])}

    await database.transact(executing(INSERT, "a"))
    assert await widths() == {1}
    for more in range(3):
        await other.transact(executing(f"ALTER TABLE notes ADD COLUMN c{more} TEXT"))
        assert await widths() == {2 + more}


async def test_text_with_a_nul_is_kept_without(database: PostgresqlDatabase) -> None:
    await database.transact(executing(INSERT, "a\0b"))
    assert await database.fetch("SELECT id FROM notes WHERE id = $1", "a\0b") == [("a\ufffdb",)]


async def test_a_value_of_another_type_is_our_own_fault(database: PostgresqlDatabase) -> None:
    with pytest.raises(asyncpg.DataError):
        await database.fetch("SELECT id FROM notes WHERE id = $1", 7)
    assert await database.fetch(COUNT) == [(0,)]


async def test_work_that_goes_on_behind_a_failed_statement_is_not_kept(
    database: PostgresqlDatabase,
) -> None:
    async def work(tx: Transaction) -> None:
        await tx.execute(INSERT, "a")
        with pytest.raises(asyncpg.UniqueViolationError):
            await tx.execute(INSERT, "a")

    with pytest.raises(TypeError, match="went on"):
        await database.transact(work)
    assert await database.fetch(COUNT) == [(0,)]


async def test_the_server_ends_what_a_node_leaves_behind_that_hangs(
    database: PostgresqlDatabase,
) -> None:
    for name, value in (
        ("idle_in_transaction_session_timeout", "5s"),
        ("client_connection_check_interval", "1s"),
        ("lock_timeout", "10s"),
        ("statement_timeout", "15s"),
        ("default_transaction_isolation", "read committed"),
    ):
        assert await database.fetch("SELECT current_setting($1)", name) == [(value,)]


async def test_the_server_makes_no_long_preparations_for_short_questions(
    database: PostgresqlDatabase,
) -> None:
    for name, value in (("jit", "off"), ("max_parallel_workers_per_gather", "0")):
        assert await database.fetch("SELECT current_setting($1)", name) == [(value,)]


async def test_a_session_lock_is_held_by_one_and_gone_with_its_session(
    database: PostgresqlDatabase, other: PostgresqlDatabase
) -> None:
    ours, theirs = (SessionLocks(one, SystemClock()) for one in (database, other))

    async def take(locks: SessionLocks, name: str, seconds: float) -> None:
        async with locks.held(name, wait_seconds=seconds):
            pass

    async with ours.held("portal 1", wait_seconds=0):
        for locks in (ours, theirs):
            with pytest.raises(LockedError):
                await take(locks, "portal 1", 0.05)
            await take(locks, "portal 2", 0)
        sessions = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
        ((session,),) = await other.fetch(sessions)
        await other.fetch("SELECT pg_terminate_backend($1)", session)
        await take(theirs, "portal 1", 10)
    for locks in (ours, theirs):
        await take(locks, "portal 1", 0)


async def test_however_many_session_locks_a_process_holds_they_take_one_connection(
    database: PostgresqlDatabase, other: PostgresqlDatabase
) -> None:
    locks = SessionLocks(database, SystemClock())
    sessions = "SELECT count(DISTINCT pid), count(*) FROM pg_locks WHERE locktype = 'advisory'"
    async with contextlib.AsyncExitStack() as stack:
        held = (locks.held(f"portal {number}", wait_seconds=10) for number in range(30))
        await asyncio.gather(*map(stack.enter_async_context, held))
        assert await other.fetch(sessions) == [(1, 30)]
    assert await other.fetch(sessions) == [(0, 0)]


async def test_the_server_takes_a_lock_from_whoever_hangs(
    database: PostgresqlDatabase, other: PostgresqlDatabase
) -> None:
    hanging = SessionLocks(database, SystemClock(), longest_seconds=0.05)
    async with (
        hanging.held("portal", wait_seconds=0),
        SessionLocks(other, SystemClock()).held("portal", wait_seconds=10),
    ):
        pass
