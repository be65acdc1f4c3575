"""A store that an earlier program has filled keeps every row when this one opens it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarthost.database.engine import Database, Transaction
from smarthost.database.migrate import migrate, migrations
from tests.clocks import FakeClock
from tests.database.first_store import ADD_PORTAL, MAIL_AT, TEST, write_mail, write_tables
from tests.engines import ENGINES, executing, open_database

_EVENT = """
INSERT INTO audit_events (portal_id, id, at, actor, action, subject, details)
VALUES ('p', $1, $2, 'operator', 'x.y', 's', '{}')"""
_SCHEMA = {
    "sqlite": "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2",
    "postgresql": "SELECT table_name, column_name, data_type FROM information_schema.columns"
    " WHERE table_schema = 'public' ORDER BY 1, 2",
}


@pytest.fixture(params=ENGINES)
async def filled(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A store as the program before the sending of mail has left it."""
    database = open_database(request.param, tmp_path)

    async def work(tx: Transaction) -> None:
        await write_tables(tx, request.param, MAIL_AT)
        await write_mail(tx)
        for event_id, at in (("a", 3), ("b", 1), ("c", 2)):
            await tx.execute(_EVENT, event_id, at)

    await database.transact(work)
    yield database
    await database.close()


async def test_every_row_of_the_queue_is_there_after_the_upgrade(filled: Database) -> None:
    shared = {
        "portals": "id, name, created_at, settings_allowed",
        "messages": "portal_id, id, kind, revision, accepted_at, accepted_by, sender,"
        " needs_smtputf8, needs_8bit, size",
        "message_bodies": "portal_id, message_id, content",
        "recipients": "portal_id, message_id, address, kind, state, due_at, attempts_count, claim,"
        " claimed_at, step, in_doubt",
        "attempts": "portal_id, message_id, address, attempt, started_at, microseconds, result,"
        " in_doubt, step, code, permanent, reply, revision, relay_host, relay_port, default_relay,"
        " relay_address, tls, warnings",
        "last_tests": "portal_id, message_id",
        "queue_turns": "portal_id, kind, due_at",
        "audit_events": "portal_id, id, at, actor, address, request_id, action, subject, details",
    }
    queries = {
        table: f"SELECT {columns} FROM {table} ORDER BY 1, 2" for table, columns in shared.items()
    }
    before = {table: await filled.fetch(sql) for table, sql in queries.items()}
    assert await migrate(filled, FakeClock()) == len(migrations(filled.dialect)) - MAIL_AT
    assert {table: await filled.fetch(sql) for table, sql in queries.items()} == before
    assert len(before["recipients"]) == 4
    if filled.dialect == "sqlite":  # PostgreSQL looks at each while it is made
        assert await filled.fetch("PRAGMA foreign_key_check") == []
    assert await filled.find_damage() is None


async def test_what_is_new_says_nothing_about_old_mail(filled: Database) -> None:
    await migrate(filled, FakeClock())
    messages = "SELECT DISTINCT owner, details, at_most_once, expires_at FROM messages"
    assert await filled.fetch(messages) == [(None, "{}", 0, None)]
    recipients = "SELECT state, scheduled_at, deaths, held_for, ended_at FROM recipients"
    assert sorted(await filled.fetch(recipients)) == [
        ("held", None, 0, "in_doubt", None),
        ("queued", None, 0, None, None),
        ("sending", None, 0, None, None),
        ("sent", None, 0, None, 20),
    ]
    assert await filled.fetch("SELECT domain_senders_allowed FROM portals") == [(0,)]
    assert await filled.fetch("SELECT DISTINCT last_sent_at FROM queue_turns") == [(None,)]


async def test_the_audit_is_numbered_in_its_order(filled: Database) -> None:
    await migrate(filled, FakeClock())
    await filled.transact(executing(_EVENT, "d", 0))
    events = await filled.fetch("SELECT id FROM audit_events ORDER BY number")
    assert events == [("b",), ("c",), ("a",), ("d",)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET actor = 'nobody'",
        "UPDATE messages SET size = 4",
        "UPDATE message_bodies SET message_id = 'x'",
        "UPDATE attempts SET reply = NULL",
    ],
)
async def test_what_never_changes_still_never_does(filled: Database, statement: str) -> None:
    await migrate(filled, FakeClock())
    with pytest.raises(Exception, match="never changed"):
        await filled.transact(executing(statement))


async def test_what_belongs_to_a_message_still_goes_with_it(filled: Database) -> None:
    await migrate(filled, FakeClock())
    await filled.transact(executing("DELETE FROM messages WHERE id <> $1", TEST))
    for sql in ("SELECT message_id FROM message_bodies", "SELECT message_id FROM recipients"):
        assert await filled.fetch(sql) == [(TEST,)]
    assert await filled.fetch("SELECT count(*) FROM attempts") == [(0,)]
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await filled.transact(executing("DELETE FROM messages"))


async def test_the_upgraded_tables_are_those_of_a_new_store(
    filled: Database, tmp_path: Path
) -> None:
    await migrate(filled, FakeClock())
    (tmp_path / "new").mkdir()
    new = open_database(filled.dialect, tmp_path / "new")
    await migrate(new, FakeClock())
    assert await filled.fetch(_SCHEMA[filled.dialect]) == await new.fetch(_SCHEMA[filled.dialect])
    await new.close()


CHECKS_WITHOUT_LISTS = "checks_without_lists"
_ROWS = (
    """
INSERT INTO messages
VALUES ('p', 'm', 'mail', NULL, 1, 'a', 'b', 's', 0, 0, 3, '{}', 0, NULL, '{}')""",
    """
INSERT INTO recipients
VALUES
    ('p', 'm', 'r1', 'mail', 'failed', NULL, 5, 2, 1, NULL, 6, 'data', 1, NULL, 7),
    ('p', 'm', 'r2', 'mail', 'held', NULL, NULL, 0, 0, NULL, NULL, NULL, 0, 'restored', NULL)""",
    """
INSERT INTO attempts
VALUES ('p', 'm', 'r1', 1, 2, 3, 'refused', 0, 'data', 'c', 1, '550', 7, 'h', 25, 1, 'ip',
        'TLSv1.3', 'w')""",
    "INSERT INTO failure_notices VALUES ('p', 'm', 'r1')",
)


async def test_recipients_made_anew_keep_every_column(tmp_path: Path) -> None:
    engine = "sqlite"  # the only one that has to make them anew
    database = open_database(engine, tmp_path)
    last = next(one for one in migrations(engine) if one.name == CHECKS_WITHOUT_LISTS)
    for one in migrations(engine)[: last.version - 1]:
        await database.transact(executing(one.script))
    await database.transact(executing(ADD_PORTAL))
    for sql in _ROWS:
        await database.transact(executing(sql))
    queries = [f"SELECT * FROM {table}" for table in ("recipients", "attempts", "failure_notices")]
    before = [await database.fetch(sql) for sql in queries]
    await database.transact(executing(last.script))
    assert [await database.fetch(sql) for sql in queries] == before
    assert await database.fetch("PRAGMA foreign_key_check") == []
    wrong = "UPDATE recipients SET state = 'lost'"
    with pytest.raises(Exception, match="CHECK"):
        await database.transact(executing(wrong))
    plan = [row[1] for row in await database.fetch(f"EXPLAIN {wrong} WHERE address = 'r1'")]
    assert plan.count("OpenEphemeral") <= 1, "the keys of the rows, and no lists"
    await database.close()
