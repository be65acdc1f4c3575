"""`database copy`, as an operator types it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from servers.postgresql import apart
from smarthost.database.migrate import migrate
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.secret import Secret
from tests.cli.program import Program
from tests.cli.test_doctor import wrong
from tests.clocks import FakeClock
from tests.engines import make_database
from tests.journeys.served import serving

COPY = ("database", "copy")
CANARY = "c4nary"
UNFINISHED = (
    "CREATE TABLE copy_mark (source TEXT, stamp TEXT, begun_at BIGINT, finished_at BIGINT)",
    "INSERT INTO copy_mark VALUES ('1', '2', 3, NULL)",
)

needs_server = pytest.mark.needs("postgres")


@pytest.fixture
def url(installed: Program) -> str:
    return make_database(installed.folder)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "Say where to copy to"),
        (("--to", "sqlite:///other.db"), "--to: the URL of a PostgreSQL server"),
        (("--to", f"postgresql://u:{CANARY}@127.0.0.1/x"), "--to: a password does not belong"),
        (("--to-file", "missing"), "--to-file: the file cannot be read"),
    ],
)
def test_where_to_is_said_once_and_without_a_password(
    untouched: Program, options: tuple[str, ...], words: str
) -> None:
    ended = untouched(*COPY, *options)
    ended.assert_one_line(2, words)
    assert CANARY not in ended.err


def test_a_url_comes_from_a_file_or_standard_input(untouched: Program) -> None:
    nobody = f"postgresql://u:{CANARY}@127.0.0.1:1/x"
    (untouched.folder / "url.txt").write_text(f"{nobody}\n")
    for ended in (
        untouched(*COPY, "--to-file", "url.txt"),
        untouched(*COPY, "--to-file", "-", typed=nobody),
    ):
        ended.assert_one_line(5, "The database x on 127.0.0.1:1 cannot be")
        assert CANARY not in ended.err


def test_only_a_file_is_copied_and_only_if_there_is_one(program: Program) -> None:
    on_server = {"SMARTHOST_DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    target = ("--to", "postgresql://127.0.0.1:1/y")
    program(*COPY, *target, **on_server).assert_one_line(3, "names a PostgreSQL server already")
    assert program(*COPY, *target).code == 3
    assert not program.data_dir.exists()


@needs_server
def test_the_service_has_to_be_stopped(installed: Program, url: str) -> None:
    with serving(installed):
        installed(*COPY, "--to", url).assert_one_line(4, "Stop it first")


@needs_server
def test_what_was_done_and_what_is_next_is_told(installed: Program, url: str) -> None:
    told = installed(*COPY, "--to", url)
    assert told.code == 0, told.err
    assert "users\t1\t" in told.out
    assert "alike in every table" in told.out
    assert "SMARTHOST_DATABASE_URL" in told.out
    assert str(installed.data_dir / "keyring.json") in told.out
    again = installed(*COPY, "--to", url)
    assert (again.code, "Nothing was done." in again.out) == (0, True)


@needs_server
def test_a_copy_tells_each_table_as_json(installed: Program, url: str) -> None:
    told = installed(*COPY, "--to", url, "--json").json()
    assert list(told) == ["to", "finishedAt", "already", "rows", "tables"]
    (users,) = [one for one in told["tables"] if one["table"] == "users"]
    assert (users["rows"], users["alike"], len(users["sha256"])) == (1, True, 64)
    assert told["rows"] == sum(one["rows"] for one in told["tables"])
    assert told["finishedAt"].endswith("Z")


@needs_server
def test_nothing_opens_a_copy_that_is_not_finished(installed: Program, url: str) -> None:
    apart(execute(url, *UNFINISHED))
    on_server = {"SMARTHOST_DATABASE_URL": url}
    for command in (("serve",), ("database", "upgrade")):
        installed(*command, **on_server).assert_one_line(3, "a copy that is not finished")
    assert "not finished" in json.dumps(wrong(installed, **on_server))
    installed(*COPY, "--to", url).assert_one_line(4, "a copy of another installation")


@needs_server
def test_ctrl_c_ends_it_quietly_and_it_goes_on_when_typed_again(
    installed: Program, url: str
) -> None:
    apart(make_tables(url))
    with locked(url, "portals"):
        ended = installed.at_terminal(
            *COPY, "--to", url, press=("copying portals", "\x03"), term="xterm"
        )
    assert ended.code == 130, ended.out
    assert "Traceback" not in ended.out
    assert "alike in every table" in installed.at_terminal(*COPY, "--to", url).out


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    """Let nobody write to a table meanwhile."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(url))
    loop.run_until_complete(connection.execute(f"BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE"))
    try:
        yield
    finally:
        loop.run_until_complete(connection.close())
        loop.close()


async def make_tables(url: str) -> None:
    database = PostgresqlDatabase(Secret(url))
    await migrate(database, FakeClock())
    await database.close()


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for sql in statements:
        await connection.execute(sql)
    await connection.close()
