"""One node on PostgreSQL, as an operator runs it: from the first start to a kill and a restart."""

import asyncio
import re
from collections import Counter
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from smarthost.database.backup_mark import MAKE_MARK, MARK_NOW
from tests.cli.program import ADMIN, Program
from tests.engines import make_database, server
from tests.journeys.application import Application
from tests.journeys.served import serving
from tests.journeys.sink import running_sink

pytestmark = pytest.mark.needs("postgres")

MESSAGES = 60
STATEMENT = re.compile(r"LOG:  (?:execute [^:]*|statement):\s+(.*)")
LOOK = "SELECT portal_id, due_at FROM queue_turns"
BESIDE = (
    LOOK,
    "SELECT portal_id FROM",  # what else may be due
    "INSERT INTO delivering_nodes",
    "SELECT name, seen_at FROM delivering_nodes",
    "SELECT count(pg_terminate_backend",
    "SELECT CAST(",
    "SELECT set_config",
    "SELECT 1",
)
"""What is asked whether there is a message or not, and of new connections."""
CONNECTIONS = 5
"""To one relay, at the most."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return make_database(tmp_path)


def test_settings_a_test_and_mail_go_their_way(program: Program, url: str) -> None:
    on_server = {"SMARTHOST_DATABASE_URL": url}
    refused = program("portal", "list", **on_server)
    assert refused.code == 3, refused.err
    assert "smarthost init --admin-email" in refused.err
    key = program.init(**on_server)
    assert not (program.data_dir / "smarthost.db").exists()
    again = program("init", "--admin-email", ADMIN, **on_server)
    assert again.code == 4, again.err
    doctor = program("doctor", "--json", **on_server)
    told = {one["check"]: one for one in doctor.json()}
    assert all(one["ok"] for one in told.values()), told
    assert {"server", "way to the server", "server's clock"} <= told.keys()
    with running_sink() as sink, serving(program, **on_server) as service:
        application = Application(process=service.client(key))
        assert application.save(sink.port, ADMIN) == 1
        tested = program("settings", "test", "--json", **on_server)
        assert tested.code == 0, tested.err + tested.out
        sent = application.send(to="anna@example.org", subject="on a server")
        sink.wait_for(2)
        assert program("queue", **on_server).code == 0
        assert program("settings", "show", "--json", **on_server).json()["port"] == sink.port
    shown = program("messages", "show", sent, "--json", **on_server)
    assert shown.json()["recipients"][0]["state"] == "sent"


def test_back_ups_are_the_servers_and_a_restored_one_holds_its_mail(
    program: Program, url: str
) -> None:
    on_server = {"SMARTHOST_DATABASE_URL": url}
    for command, words in (("backup", "pg_dump"), ("restore", "pg_restore")):
        refused = program("database", command, "copy", **on_server)
        assert refused.code == 3, refused.err
        assert words in refused.err
    assert MAKE_MARK in refused.err
    assert MARK_NOW in refused.err
    program.init(**on_server)
    asyncio.run(run_statements(url, MAKE_MARK, MARK_NOW))
    assert "This is a back-up of 2" in program("doctor", **on_server).out
    assert "this database comes out of a back-up" in program("queue", **on_server).err
    assert "This is a back-up" not in program("doctor", **on_server).out


def test_a_message_asks_the_server_thirty_to_forty_times(program: Program, url: str) -> None:
    """As `doctor` says. One that comes alone asks 28 times, and some ten times what is due."""
    on_server = {"SMARTHOST_DATABASE_URL": url}
    key = program.init(**on_server)
    name = urlsplit(url).path.removeprefix("/")
    asyncio.run(run_statements(url, f"ALTER DATABASE {name} SET log_statement = 'all'"))
    log = server().folder / "log"
    sent = count(1)
    with running_sink() as sink, serving(program, **on_server) as service:
        application = Application(process=service.client(key))
        application.save(sink.port, ADMIN)

        def send() -> None:
            application.send(to="anna@example.org", subject="one of few")
            sink.wait_for(next(sent))

        for _ in range(3):  # until all connections are there that one message needs
            send()
        begin = log.stat().st_size
        for _ in range(MESSAGES):
            send()
    asked = STATEMENT.findall(log.read_bytes()[begin:].decode())
    own = [sql for sql in asked if not sql.startswith(BESIDE)]
    due = [sql for sql in asked if sql.startswith(LOOK)]
    assert 25 * MESSAGES < len(own) < 31 * MESSAGES, Counter(own)
    assert len(due) > 3 * MESSAGES


async def run_statements(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for sql in statements:
        await connection.execute(sql)
    await connection.close()


def test_a_kill_loses_nothing_that_was_accepted(program: Program, url: str) -> None:
    on_server = {"SMARTHOST_DATABASE_URL": url}
    key = program.init(**on_server)
    with running_sink(pause=lambda: 0.02) as sink:
        with serving(program, **on_server) as service:
            application = Application(process=service.client(key))
            application.save(sink.port, ADMIN)
            ids = application.send_many(MESSAGES)
            sink.wait_for(5)
            service.kill()
        with serving(program, **on_server) as service:
            application = Application(process=service.client(key))
            ids.append(application.send())
            # All but what may have been on its way, which waits for the end of its lease.
            sink.wait_for(len(ids) - CONNECTIONS)
            (counted,) = [
                row["recipients"] for row in program("queue", "--json", **on_server).json()
            ]
            assert sum(counted.values()) == len(ids)
            assert counted["failed"] + counted["held"] + counted["expired"] == 0
