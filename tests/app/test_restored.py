"""The first opening of a back-up: all or nothing, once, and nothing goes out by itself."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from smarthost.app.parts import Parts, open_parts
from smarthost.config import Config
from smarthost.database.backup import back_up
from smarthost.database.backup_mark import MAKE_MARK, MARK_NOW, marked_at
from smarthost.database.sqlite import SqliteDatabase
from smarthost.portals.model import Portal, Role
from tests.app.test_relays import BY, installation
from tests.clocks import START
from tests.engines import executing
from tests.mail_queue.ledger import check
from tests.mail_queue.messages import ANNA, submit_mail
from tests.postgresql_server import PostgresqlServer
from tests.processes import injecting, need_tracing, run_python, start_python
from tests.webhooks.told import URL, ended, note

MESSAGES = 300
OPEN = """
import asyncio, sys
from pathlib import Path
from smarthost.app.logs import configure_logs
from smarthost.app.parts import open_parts
from smarthost.config import load_config

configure_logs("console", "error")
environ = {"SMARTHOST_DATA_DIR": sys.argv[1], "SMARTHOST_HELO_NAME": "a.example.com"}
config = load_config(environ, working_directory=Path(sys.argv[1]), machine_name=str,
                     stderr_is_terminal=False)

async def main():
    async with open_parts(config, create=False):
        pass

sys.stdin.readline()
asyncio.run(main())
"""
SESSIONS = "SELECT count(*) FROM sessions"
LINKS = "SELECT count(*) FROM sign_in_links"
EVENTS = "SELECT count(*) FROM webhook_events"
NOTICES = "SELECT count(*) FROM failure_notices"
NOTICE = "INSERT INTO failure_notices (portal_id, message_id, address) VALUES ($1, $2, $3)"
STATES = "SELECT state, held_for, count(*) FROM recipients GROUP BY state, held_for"
AUDIT = "SELECT subject, details FROM audit_events WHERE action = 'database.restored'"
TOLD = """
SELECT count(*), count(DISTINCT portal_id) FROM audit_events WHERE action = 'database.restored'"""
PORTALS = 1_000
MANY_PORTALS = """
INSERT INTO portals
SELECT (jsonb_populate_record(p, jsonb_build_object('id', 'p' || i, 'name', 'p' || i))).*
FROM portals p, generate_series(1, CAST($1 AS BIGINT)) i"""


async def fill(parts: Parts, portal: Portal, messages: int = MESSAGES) -> None:
    """Let mail wait, an event and a notice of failure, somebody be signed in, and have a link."""
    await parts.webhooks.put(portal.id, URL, BY, renew_secret=False)
    for _ in range(messages):
        message_id = await submit_mail(parts.delivery.intake, portal.id)
    await note(parts.database, parts.webhook_events, portal.id, message_id, ended())
    await parts.database.transact(executing(NOTICE, portal.id, message_id, ANNA))
    user = await parts.portals.create_user(portal.id, "a@example.com", Role.USER, "hash", BY)
    await parts.sign_ins.create_session(user, BY)
    await parts.links.make(user, BY)


async def restored(folder: Path) -> Config:
    """Make an installation whose database is a back-up that nobody has opened yet."""
    async with installation(folder) as (config, parts, portal):
        await fill(parts, portal)
        back_up(config.database_file, folder / "copy.db", START, lambda _share: None)
    for ending in ("", "-wal", "-shm"):
        config.database_file.with_name(f"smarthost.db{ending}").unlink(missing_ok=True)
    (folder / "copy.db").rename(config.database_file)
    return config


async def assert_held(parts: Parts) -> None:
    assert await marked_at(parts.database) is None
    assert await parts.database.fetch(STATES) == [("held", "restored", MESSAGES)]
    for nothing in (SESSIONS, LINKS, EVENTS, NOTICES):
        assert await parts.database.fetch(nothing) == [(0,)]
    await check(parts.database)
    held = f'{{"held":{MESSAGES},"events_given_up":1}}'
    assert await parts.database.fetch(AUDIT) == [("2026-01-01T00:00:00+00:00", held)]


async def test_nothing_that_was_under_way_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = await restored(tmp_path)
    for _ in range(2):
        async with open_parts(config, create=False) as parts:
            await assert_held(parts)
            (portal,) = await parts.portals.portals()
            webhook = await parts.webhooks.of(portal.id)
            assert webhook is not None
            assert (webhook.dropped, webhook.waiting_since) == (1, None)
            assert await parts.webhook_events.due_portals(9) == []


async def test_an_installation_that_is_no_back_up_is_left_alone(tmp_path: Path) -> None:
    async with installation(tmp_path) as (config, parts, portal):
        await fill(parts, portal)
        async with open_parts(config, create=False) as again:
            assert await again.database.fetch(STATES) == [("queued", None, MESSAGES)]
            for one in (SESSIONS, LINKS):
                assert await again.database.fetch(one) == [(1,)]


async def test_two_that_open_it_at_the_same_moment_do_it_once(tmp_path: Path) -> None:
    config = await restored(tmp_path)
    processes = [start_python(OPEN, config.data_dir) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ends = [await asyncio.to_thread(process.communicate, timeout=60) for process in processes]
    assert ends == [("", "")] * 2
    async with open_parts(config, create=False) as parts:
        await assert_held(parts)


@pytest.fixture
def small_server() -> Iterator[PostgresqlServer]:
    """A server that keeps some hundred locks, as a usual one does some thousand."""
    server = PostgresqlServer(
        max_connections="12", max_worker_processes="0", autovacuum_max_workers="1"
    )
    yield server
    server.remove()


@pytest.mark.needs("postgres")
async def test_more_portals_are_held_back_than_a_server_can_lock_at_once(
    tmp_path: Path, small_server: PostgresqlServer
) -> None:
    url = small_server.url("postgres")
    async with installation(tmp_path, DATABASE_URL=url) as (config, parts, portal):
        await parts.database.transact(executing(MANY_PORTALS, PORTALS))
        await fill(parts, portal, 1)
        await parts.database.transact(executing(f"{MAKE_MARK}; {MARK_NOW}"))

    async def open_again() -> None:
        async with open_parts(config, create=False):
            pass

    await asyncio.gather(open_again(), open_again())
    async with open_parts(config, create=False) as parts:
        assert await marked_at(parts.database) is None
        assert await parts.database.fetch(STATES) == [("held", "restored", 1)]
        assert await parts.database.fetch(TOLD) == [(PORTALS + 1, PORTALS + 1)]


@pytest.mark.needs("strace")
@pytest.mark.parametrize("write", [3, 20, 60])
async def test_a_kill_in_the_middle_leaves_it_all_for_the_next(tmp_path: Path, write: int) -> None:
    need_tracing()
    config = await restored(tmp_path)
    under = injecting(f"pwrite64:signal=KILL:when={write}")
    ended = await asyncio.to_thread(run_python, OPEN, config.data_dir, under=under)
    assert ended.status == -signal.SIGKILL, ended.errors
    database = SqliteDatabase(config.database_file)
    assert await marked_at(database) == START
    assert await database.fetch(STATES) == [("queued", None, MESSAGES)]
    await database.close()
    async with open_parts(config, create=False) as parts:
        await assert_held(parts)
