"""What `doctor` finds at a PostgreSQL server, each fault made at a real one."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from smarthost.app.doctor_nodes import judge_room
from smarthost.app.doctor_server import check_collation, check_server, check_use
from smarthost.app.doctor_session import judge_encryption
from smarthost.app.doctor_vacuum import check_vacuum
from smarthost.app.finding import Finding
from smarthost.clock import SystemClock
from smarthost.database.migrate import migrate
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_session import Session
from smarthost.database.postgresql_standing import Room
from smarthost.mail_queue.nodes.store import NodeStore
from smarthost.secret import Secret
from tests.engines import executing
from tests.postgresql_server import PostgresqlServer

pytestmark = pytest.mark.needs("postgres")

NAMES = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    """A server for tests that set it."""
    server = PostgresqlServer(max_prepared_transactions="1")
    yield server
    server.remove()


@pytest.fixture
def url(server: PostgresqlServer) -> str:
    name = f"d{next(NAMES)}"
    server.run_sql(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
    return server.url(name)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresqlDatabase]:
    database = PostgresqlDatabase(Secret(url))
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(url: str) -> AsyncIterator[PostgresqlDatabase]:
    async with opened(url) as one:
        await one.transact(executing("CREATE TABLE notes (id INTEGER)"))
        yield one


def wrong(findings: list[Finding]) -> dict[str, str]:
    return {one.check: one.message for one in findings if not one.ok}


async def looked_over(url: str) -> dict[str, str]:
    """Return what is wrong with the server, as another process sees it."""
    async with opened(url) as database:
        return wrong(await check_server(database, Secret(url), SystemClock()))


async def test_a_sound_server_has_only_good_findings(
    database: PostgresqlDatabase, url: str
) -> None:
    await migrate(database, SystemClock())
    findings = [
        *await check_server(database, Secret(url), SystemClock()),
        *await check_use(database),
    ]
    assert wrong(findings) == {}
    assert [one.check for one in findings] == [
        "server",
        "way to the server",
        "TLS to the server",
        "pooler",
        "standbys",
        "rights",
        "order of text",
        "server's clock",
        "autovacuum",
        "old transactions",
        "dead rows",
        "wraparound",
        "nodes",
        "connections",
    ]


async def test_settings_of_the_server_that_do_harm_are_found() -> None:
    server = PostgresqlServer(full_page_writes="off", autovacuum="off", max_connections="13")
    try:
        told = await looked_over(server.url("postgres"))
        assert "full_page_writes is off" in told["server"]
        assert "ALTER SYSTEM SET autovacuum = on" in told["autovacuum"]
        async with opened(server.url("postgres")) as database:
            await migrate(database, SystemClock())
            assert "10 connections may be" in wrong(await check_use(database))["connections"]
    finally:
        server.remove()


@pytest.mark.usefixtures("database")
async def test_vacuum_that_is_off_for_a_database_or_a_table_is_found(
    server: PostgresqlServer, url: str
) -> None:
    name = url.partition("@/")[2].partition("?")[0]
    server.run_sql("ALTER TABLE notes SET (autovacuum_enabled = off)", database=name)
    assert "ALTER TABLE notes RESET" in (await looked_over(url))["autovacuum"]
    server.run_sql(f"ALTER DATABASE {name} SET track_counts = off")
    assert "track_counts is off" in (await looked_over(url))["autovacuum"]


@pytest.mark.usefixtures("database")
async def test_a_user_without_rights_is_found(server: PostgresqlServer, url: str) -> None:
    name = url.partition("@/")[2].partition("?")[0]
    server.run_sql("CREATE ROLE other LOGIN")
    as_other = url.replace("smarthost@", "other@")
    assert "GRANT CREATE ON SCHEMA public" in (await looked_over(as_other))["rights"]
    server.run_sql("GRANT CREATE ON SCHEMA public TO other", database=name)
    told = (await looked_over(as_other))["rights"]
    assert told.startswith("The table notes is not other's")
    assert 'REASSIGN OWNED BY CURRENT_USER TO "other"' in told
    server.run_sql("ALTER TABLE notes OWNER TO other", database=name)
    assert await looked_over(as_other) == {}


async def test_a_transaction_that_stays_open_is_found(
    database: PostgresqlDatabase, url: str
) -> None:
    other = await database.connect()
    await other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    async with opened(url) as one:
        assert "old transactions" not in wrong(await check_vacuum(one))
        told = wrong(await check_vacuum(one, longest_seconds=0))["old transactions"]
        assert told.startswith("The session ")
        await other.execute("INSERT INTO notes VALUES (1); PREPARE TRANSACTION 'left behind'")
        told = wrong(await check_vacuum(one, longest_seconds=0))["old transactions"]
        assert told.startswith("The prepared transaction left behind has kept rows")
    await other.execute("ROLLBACK PREPARED 'left behind'")
    await other.close(timeout=5)


async def test_dead_rows_that_vacuum_does_not_remove_are_found(
    database: PostgresqlDatabase,
) -> None:
    connection = await database.connect()
    await connection.execute("ALTER TABLE notes SET (autovacuum_enabled = off)")
    await connection.execute("INSERT INTO notes SELECT generate_series(1, 200)")
    await connection.execute("DELETE FROM notes WHERE id > 50")
    await connection.close(timeout=5)  # with its end the counts are told
    told = wrong(await check_vacuum(database, many_dead=100))
    assert told["dead rows"].startswith("The table notes has 150 dead rows and 50 live ones")
    assert "dead rows" not in wrong(await check_vacuum(database))


async def test_rows_that_were_not_frozen_for_long_are_found(database: PostgresqlDatabase) -> None:
    assert "VACUUM (FREEZE" in wrong(await check_vacuum(database, old_age=1))["wraparound"]


async def test_an_order_of_text_that_has_changed_is_found(server: PostgresqlServer) -> None:
    server.run_sql(
        "CREATE DATABASE sorted TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'",
        "UPDATE pg_database SET datcollversion = '1' WHERE datname = 'sorted'",
    )
    async with opened(server.url("sorted")) as database:
        told = await check_collation(database, 15)
        assert "indexes were made with 1 and may miss rows" in told.message
        assert 'REINDEX DATABASE "sorted"' in told.message
        assert (await check_collation(database, 14)).ok, "it tells none"


async def test_nodes_are_counted_and_one_that_is_silent_is_found(
    database: PostgresqlDatabase,
) -> None:
    await migrate(database, SystemClock())
    assert "None delivers" in (await check_use(database))[0].message
    await NodeStore(database, database.clock).say("lives")
    assert (await check_use(database))[0].message == "Processes that deliver: 1."
    gone = executing(
        "INSERT INTO delivering_nodes VALUES ($1, $2)", "gone", database.clock.now() - 60_000_000
    )
    await database.transact(gone)
    told = wrong(await check_use(database))["nodes"]
    assert told.startswith("1 of 2 nodes say nothing more, gone for 60 seconds")


async def test_the_least_of_all_limits_of_connections_counts(
    server: PostgresqlServer, database: PostgresqlDatabase, url: str
) -> None:
    await migrate(database, SystemClock())
    name = url.partition("@/")[2].partition("?")[0]
    server.run_sql(f"ALTER DATABASE {name} CONNECTION LIMIT 9")
    assert wrong(await check_use(database))["connections"].startswith("9 connections")


@pytest.mark.parametrize(
    ("usable", "others", "nodes", "ok"),
    [(97, 0, 4, True), (97, 0, 8, False), (36, 0, 2, True), (36, 1, 2, False), (10, 0, 0, False)],
)
def test_each_process_and_one_more_needs_its_connections(
    usable: int, others: int, nodes: int, ok: bool
) -> None:
    assert judge_room(Room(usable, others), nodes).ok is ok


@pytest.mark.parametrize(
    ("encrypted", "address", "sslmode", "words"),
    [
        (False, "", "prefer", "on this machine"),
        (False, "::1", "disable", "on this machine"),
        (False, "10.0.0.5", "prefer", "in clear"),
        (True, "10.0.0.5", "prefer", "can have it left out"),
        (True, "10.0.0.5", "require", "verify-full would check"),
        (True, "2001:db8::5", "verify-full", "its certificate is checked"),
    ],
)
def test_who_may_read_along_is_told(
    encrypted: bool, address: str, sslmode: str, words: str
) -> None:
    told = judge_encryption(Session(encrypted, address), sslmode)
    assert words in told.message
    assert told.ok is (words not in ("in clear", "can have it left out"))
