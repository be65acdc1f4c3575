"""Which of several servers is used: scripted ones here, two real ones at the end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import pytest
from structlog.testing import capture_logs

from servers.postgresql import USER
from smarthost.database.engine import OutcomeUnknownError, StoreUnavailableError
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_candidate import ASK_SECONDS, StandbyError, UnfitError
from smarthost.database.postgresql_hosts import Host
from smarthost.database.postgresql_primary import NoPrimaryError, Primary
from smarthost.secret import Secret
from tests.engines import executing
from tests.journeys.sink import until
from tests.postgresql_pair import Pair, pair_of_servers

SOON = 15.0
"""Long before a server that does not answer would be given up in line."""
INSERT = "INSERT INTO notes (id) VALUES ($1)"
NOTES = "SELECT id FROM notes ORDER BY id"
IN_DOUBT = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
TAKEN_OVER = "another server of the database has taken over"


class Session:
    """A connection to a scripted server."""

    def __init__(self, server: "Scripted") -> None:
        self.server = server
        self.closed = False

    async def fetch(
        self,
        sql: str,
        *_values: object,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own
    ) -> list[tuple[object, ...]]:
        assert timeout is not None
        server = self.server
        await server.answers.wait()
        if "pg_is_in_recovery" in sql:
            return [(15, "on", "on", server.is_standby, server.is_read_only, "UTF8")]
        if server.timeline is None:
            raise server.does_not_tell("none such")
        return [(server.system, f"{server.timeline:08X}")]

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True


class Scripted:
    """A server as it is told to be."""

    def __init__(
        self, *, timeline: int | None = 1, system: int = 7, is_standby: bool = False
    ) -> None:
        self.timeline = timeline
        self.system = system
        self.is_standby = is_standby
        self.is_read_only = False
        self.is_away = False
        self.is_silent = False
        self.does_not_tell: type[asyncpg.PostgresError] = asyncpg.UndefinedFunctionError
        self.is_full = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.sessions: list[Session] = []

    @property
    def is_left(self) -> bool:
        return all(session.closed for session in self.sessions)


class World:
    """Servers, by their names, and who looks for the primary among them."""

    def __init__(self, **servers: Scripted) -> None:
        self.servers = servers
        self.asked: list[str] = []
        self.primary = Primary(tuple(Host(name, None) for name in servers), self.open_at)  # type: ignore[arg-type]

    async def open_at(self, host: Host) -> Session:
        self.asked.append(host.name)
        server = self.servers[host.name]
        await asyncio.sleep(0)
        if server.is_silent:
            await asyncio.Event().wait()
        if server.is_away:
            raise ConnectionRefusedError(111, "Connection refused")
        if server.is_full:
            raise asyncpg.TooManyConnectionsError("sorry, too many clients already")
        server.sessions.append(Session(server))
        return server.sessions[-1]

    async def found(self, *, anew: bool = False) -> str:
        return (await self.primary.find(anew=anew)).host.name

    async def faults(self) -> dict[str, Exception]:
        with pytest.raises(NoPrimaryError) as caught:
            await self.primary.find()
        return {host.name: fault for host, fault in caught.value.faults.items()}


async def test_the_one_that_is_no_standby_is_found_and_the_other_left() -> None:
    world = World(a=Scripted(is_standby=True), b=Scripted())
    assert await world.found() == "b"
    assert world.servers["a"].is_left
    assert not world.servers["b"].is_left


async def test_one_that_is_known_is_asked_alone_while_a_session_lives() -> None:
    world = World(a=Scripted(is_standby=True), b=Scripted())
    await world.found()
    world.asked.clear()
    assert await world.found() == "b"
    assert world.asked == ["b"]
    for session in world.servers["b"].sessions:
        session.terminate()
    await world.found()
    assert world.asked == ["b", "a", "b"]


async def test_of_several_the_newest_is_used() -> None:
    world = World(a=Scripted(timeline=2), b=Scripted(timeline=0x10), c=Scripted(timeline=9))
    assert await world.found() == "b"
    assert world.servers["a"].is_left
    assert world.servers["c"].is_left


async def test_when_another_one_has_taken_over_no_session_with_the_old_one_is_left() -> None:
    world = World(a=Scripted(), b=Scripted(is_standby=True))
    await world.found()
    await world.found()
    world.servers["b"] = Scripted(timeline=2)
    with capture_logs() as logs:
        assert await world.found(anew=True) == "b"
    assert [(line["event"], line["server"], line["timeline"]) for line in logs] == [
        (TAKEN_OVER, "b", 2)
    ]
    assert world.servers["a"].is_left


async def test_whoever_has_seen_the_new_one_never_goes_back() -> None:
    world = World(a=Scripted(), b=Scripted(timeline=2))
    await world.found()
    world.servers["b"].is_away = True
    faults = await world.faults()
    assert "was replaced by another server (its timeline is 1, of the other 2)" in str(faults["a"])
    assert isinstance(faults["a"], UnfitError)
    assert isinstance(faults["b"], ConnectionRefusedError)
    assert world.servers["a"].is_left


async def test_the_same_server_after_a_restart_is_the_same() -> None:
    world = World(a=Scripted(), b=Scripted(is_standby=True))
    await world.found()
    world.servers["a"].sessions[0].terminate()
    world.servers["a"].is_away = True
    await world.faults()
    world.servers["a"].is_away = False
    with capture_logs() as logs:
        assert await world.found() == "a"
        assert await world.found() == "a"
    assert (logs, len([one for one in world.servers["a"].sessions if not one.closed])) == ([], 2)


async def test_a_server_of_another_origin_is_never_moved_to() -> None:
    world = World(a=Scripted(timeline=3), b=Scripted(system=8, timeline=5, is_standby=True))
    await world.found()
    (session,) = world.servers["a"].sessions
    world.servers["b"].is_standby = False
    assert await world.found(anew=True) == "a"
    world.servers["a"].is_away = True
    assert "of another origin" in str((await world.faults())["b"])
    assert not session.closed, "a moment's fault ends nothing"
    world.servers["a"].is_away = False
    assert await world.found(anew=True) == "a"
    assert world.servers["b"].is_left


async def test_at_the_same_place_a_server_of_another_origin_is_the_database() -> None:
    world = World(a=Scripted(timeline=3), b=Scripted(is_standby=True))
    await world.found()
    world.servers["a"].system = 9
    world.servers["a"].timeline = 1
    assert await world.found(anew=True) == "a"
    world.servers["b"] = Scripted(system=9, timeline=2)
    assert await world.found(anew=True) == "b"


async def test_who_begins_takes_none_of_two_origins() -> None:
    world = World(a=Scripted(timeline=1), b=Scripted(system=8, timeline=5))
    faults = await world.faults()
    assert "of another origin (its system_identifier is 7)" in str(faults["a"])
    assert "of another origin (its system_identifier is 8)" in str(faults["b"])
    assert world.servers["a"].is_left
    assert world.servers["b"].is_left
    world.servers["b"].is_standby = True
    assert await world.found() == "a"


async def test_one_that_tells_no_timeline_is_known_by_its_place() -> None:
    world = World(a=Scripted(timeline=None), b=Scripted(timeline=None, is_standby=True))
    assert await world.found() == "a"
    assert await world.found(anew=True) == "a"
    assert len([one for one in world.servers["a"].sessions if not one.closed]) == 2
    world.servers["a"].is_silent = True
    world.servers["b"].is_standby = False
    assert await world.found(anew=True) == "b"
    assert world.servers["a"].is_left


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UndefinedFunctionError,
        asyncpg.InsufficientPrivilegeError,
        asyncpg.FeatureNotSupportedError,
    ],
)
async def test_what_was_seen_stays_where_it_is_not_told_any_more(
    error: type[asyncpg.PostgresError],
) -> None:
    world = World(a=Scripted(timeline=2), b=Scripted(is_standby=True))
    await world.found()
    world.servers["a"].timeline, world.servers["a"].does_not_tell = None, error
    assert await world.found() == "a"
    world.servers["a"].timeline = 2
    with capture_logs() as logs:
        assert await world.found() == "a"
    assert logs == [], "nobody has taken over"
    assert not any(session.closed for session in world.servers["a"].sessions)
    world.servers["a"].is_away, world.servers["b"].is_standby = True, False
    assert "was replaced" in str((await world.faults())["b"])


@pytest.mark.parametrize(
    "error", [asyncpg.OutOfMemoryError, asyncpg.PostgresIOError, asyncpg.DataCorruptedError]
)
async def test_a_fault_of_the_moment_is_not_taken_for_one_that_does_not_tell(
    error: type[asyncpg.PostgresError],
) -> None:
    world = World(a=Scripted(timeline=None))
    world.servers["a"].does_not_tell = error
    assert isinstance((await world.faults())["a"], error)
    assert world.servers["a"].is_left


@pytest.mark.parametrize("timeline", [None, 2])
async def test_of_equals_the_one_that_is_known_is_used(timeline: int | None) -> None:
    world = World(a=Scripted(timeline=timeline), b=Scripted(timeline=timeline))
    world.servers["a"].is_away = True
    assert await world.found() == "b"
    world.servers["a"].is_away = False
    with capture_logs() as logs:
        assert await world.found(anew=True) == "b"
    assert logs == []
    assert world.servers["a"].is_left
    world.servers["b"].is_away = True
    assert await world.found(anew=True) == "a"
    assert world.servers["b"].is_left, "no pool has sessions with both"


async def test_one_that_does_not_answer_is_not_waited_for() -> None:
    world = World(a=Scripted(), b=Scripted())
    world.servers["a"].is_silent = True
    began = time.monotonic()
    assert await world.found() == "b"
    assert time.monotonic() - began < SOON


async def test_one_that_starts_again_is_found_though_another_is_silent() -> None:
    world = World(a=Scripted(), b=Scripted(is_standby=True))
    await world.found()
    world.servers["a"].is_away, world.servers["b"].is_silent = True, True
    began = time.monotonic()
    searching = asyncio.create_task(world.found(anew=True))
    await asyncio.sleep(0.1)
    assert not searching.done()
    world.servers["a"].is_away = False
    assert await searching == "a"
    assert time.monotonic() - began < ASK_SECONDS


async def test_one_that_is_away_is_told_at_once_where_the_others_answer() -> None:
    world = World(a=Scripted(), b=Scripted(is_standby=True))
    await world.found()
    world.servers["a"].is_away = True
    world.asked.clear()
    with pytest.raises(NoPrimaryError) as caught:
        await world.found(anew=True)
    assert (world.asked, caught.value.is_silence) == (["a", "b"], False)


async def test_one_that_is_full_is_asked_once() -> None:
    world = World(a=Scripted(), b=Scripted(is_standby=True))
    await world.found()
    world.asked.clear()
    world.servers["a"].is_full = True
    with pytest.raises(NoPrimaryError) as caught:
        await world.found()
    assert (world.asked, caught.value.is_answered) == (["a"], True)


async def test_a_search_that_another_one_has_outrun_says_nothing_of_the_primary() -> None:
    world = World(a=Scripted(), b=Scripted(is_standby=True))
    await world.found()
    old, new = world.servers["a"], world.servers["b"]
    old.answers.clear()
    new.is_away = True
    outrun = asyncio.create_task(world.found(anew=True))
    while len(old.sessions) < 2:  # noqa: ASYNC110 - bounded by the test's own time
        await asyncio.sleep(0)
    new.is_away, new.is_standby, new.timeline = False, False, 2
    assert await world.found(anew=True) == "b"
    old.answers.set()
    with pytest.raises(NoPrimaryError) as caught:
        await outrun
    assert (caught.value.is_answered, caught.value.is_silence) == (True, False)


@pytest.mark.parametrize(
    ("known", "other", "is_silence", "is_answered"),
    [
        (TimeoutError(), TimeoutError(), True, False),
        (TimeoutError(), ConnectionRefusedError(), True, False),
        (ConnectionRefusedError(), TimeoutError(), False, False),
        (asyncpg.CannotConnectNowError(), TimeoutError(), False, True),
    ],
)
def test_it_is_the_primary_that_counts(
    known: Exception, other: Exception, is_silence: bool, is_answered: bool
) -> None:
    hosts = Host("a", None), Host("b", None)
    error = NoPrimaryError({hosts[0]: known, hosts[1]: other})
    error.known = hosts[0]
    assert (error.is_silence, error.is_answered) == (is_silence, is_answered)


async def test_where_none_takes_changes_each_is_told() -> None:
    world = World(a=Scripted(is_standby=True), b=Scripted(), c=Scripted())
    world.servers["b"].is_read_only = True
    world.servers["c"].is_away = True
    faults = await world.faults()
    assert isinstance(faults["a"], StandbyError)
    assert "default_transaction_read_only" in str(faults["b"])
    assert isinstance(faults["c"], ConnectionRefusedError)
    assert all(server.is_left for server in world.servers.values())


async def test_a_search_that_is_given_up_leaves_nothing_open() -> None:
    world = World(a=Scripted(), b=Scripted())
    world.servers["b"].is_silent = True
    searching = asyncio.create_task(world.primary.find())
    while not world.servers["a"].sessions:  # noqa: ASYNC110 - bounded by the test's own time
        await asyncio.sleep(0)
    searching.cancel()
    await asyncio.wait({searching})
    assert searching.cancelled()
    assert world.servers["a"].is_left


@pytest.mark.parametrize("again", [0, 1, 2])
async def test_a_search_that_is_given_up_at_any_step_leaves_nothing_open(again: int) -> None:
    steps = 0
    while True:
        world = World(a=Scripted(), b=Scripted(is_standby=True), c=Scripted())
        searching = asyncio.create_task(world.primary.find())
        for _ in range(steps):
            await asyncio.sleep(0)
        if searching.done():
            break
        searching.cancel()
        for _ in range(again):
            await asyncio.sleep(0)
            searching.cancel()
        await asyncio.wait({searching})
        for _ in range(10):
            await asyncio.sleep(0)  # for those that were asked to be told
        assert searching.cancelled()
        assert all(server.is_left for server in world.servers.values()), steps
        steps += 1
    assert steps > 5


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with pair_of_servers() as made:
        made.primary.run_sql("CREATE TABLE notes (id TEXT NOT NULL PRIMARY KEY)")
        yield made


@pytest.fixture
async def database(pair: Pair) -> AsyncIterator[PostgresqlDatabase]:
    opened = PostgresqlDatabase(Secret(pair.url("postgres")))
    yield opened
    await opened.close()


@pytest.mark.needs("postgres")
async def test_where_the_url_names_no_host_the_driver_knows_which_is_meant(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", f"{pair.standby.folder},{pair.primary.folder}")
    url = f"postgresql://{USER}@/postgres?target_session_attrs=primary"
    database = PostgresqlDatabase(Secret(url))
    assert await database.fetch("SELECT pg_is_in_recovery()") == [(False,)]
    await database.close()


@pytest.mark.needs("postgres")
async def test_a_standby_alone_is_refused(pair: Pair) -> None:
    standby = PostgresqlDatabase(Secret(pair.standby.url("postgres")))
    with pytest.raises(StoreUnavailableError, match=r"is a standby\. Name the primary\."):
        await standby.fetch("SELECT 1")
    await standby.close()


def have_it_confirm(pair: Pair) -> None:
    pair.wait_for("*")
    pair.primary.run_sql("SELECT pg_switch_wal()")  # to which the standby answers
    until(lambda: pair.primary.run_sql(IN_DOUBT) == [(0,)])


async def in_one_unit(database: PostgresqlDatabase, note: str) -> None:
    await database.transact(executing(INSERT, note))


async def by_itself(database: PostgresqlDatabase, note: str) -> None:
    await database.execute(INSERT, note)


@pytest.mark.needs("postgres")
@pytest.mark.parametrize("change", [in_one_unit, by_itself])
async def test_a_commit_in_doubt_keeps_its_place_until_it_ends(
    pair: Pair, change: Callable[[PostgresqlDatabase, str], Awaitable[None]]
) -> None:
    url = Secret(pair.url("postgres"))
    database = PostgresqlDatabase(url, at_once=5, answer_seconds=0.2)  # two of them for units
    await database.execute("DELETE FROM notes")
    pair.wait_for("nobody")
    for note in "ab":
        with pytest.raises(OutcomeUnknownError, match="may be kept or not"):
            await change(database, note)
    third = asyncio.ensure_future(change(database, "c"))
    await asyncio.sleep(0.5)
    assert not third.done()
    assert pair.primary.run_sql(IN_DOUBT) == [(2,)]
    assert await database.fetch(NOTES) == [], "who only reads has room"
    have_it_confirm(pair)
    await third
    assert await database.fetch(NOTES) == [("a",), ("b",), ("c",)]
    await database.close()


@pytest.mark.needs("postgres")
async def test_a_note_waits_for_no_standby_and_for_no_unit(pair: Pair) -> None:
    database = PostgresqlDatabase(Secret(pair.url("postgres")), at_once=5, answer_seconds=0.2)
    await database.execute("DELETE FROM notes")
    pair.wait_for("nobody")
    for note in "ab":  # as many as there is room for
        with pytest.raises(OutcomeUnknownError):
            await in_one_unit(database, note)
    async with asyncio.timeout(SOON):
        await database.note(INSERT, "c")
        assert await database.fetch(NOTES) == [("c",)]
    have_it_confirm(pair)
    await database.close()


@pytest.mark.needs("postgres")
async def test_a_stop_does_not_wait_for_a_commit_in_doubt_nor_ends_it(pair: Pair) -> None:
    database = PostgresqlDatabase(Secret(pair.url("postgres")), answer_seconds=0.2)
    await database.execute("DELETE FROM notes")
    pair.wait_for("nobody")
    writing = asyncio.create_task(in_one_unit(database, "a"))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    await database.close()
    assert time.monotonic() - began < SOON
    with pytest.raises(OutcomeUnknownError):
        await writing
    await asyncio.sleep(0.2)  # for a request to break it off, which would have it confirmed
    assert pair.primary.run_sql(IN_DOUBT) == [(1,)]
    assert pair.primary.run_sql(NOTES) == []
    have_it_confirm(pair)


@pytest.mark.needs("postgres")
async def test_what_a_replaced_server_does_not_confirm_is_written_to_its_successor(
    pair: Pair, database: PostgresqlDatabase
) -> None:
    await database.execute("DELETE FROM notes")
    await database.transact(executing(INSERT, "before"))
    pair.take_over()
    # The old one lives, and answers; but it waits for a standby that is none any more.
    began = time.monotonic()
    with pytest.raises(OutcomeUnknownError):
        await database.transact(executing(INSERT, "behind"))
    assert time.monotonic() - began < SOON
    await database.transact(executing(INSERT, "behind"))
    assert await database.fetch(NOTES) == [("before",), ("behind",)]
    pair.primary.stop()
    with pytest.raises(StoreUnavailableError, match=r"no primary: .*was replaced by another serv"):
        await database.fetch("SELECT 1")
    pair.primary.start()
    assert await database.fetch("SELECT count(*) FROM notes") == [(2,)]
