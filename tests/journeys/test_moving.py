"""An installation moves from SQLite to PostgreSQL, with its mail under way and its passwords."""

import pytest

from tests.cli.program import ADMIN, Program
from tests.database.copy.installation import execute
from tests.engines import make_database
from tests.journeys.application import Application, login
from tests.journeys.reconciled import rows
from tests.journeys.served import serving
from tests.journeys.sink import running_sink, until

pytestmark = pytest.mark.needs("postgres")

PASSWORD = "c4nary p4ssw0rd"
WAITING = ("send", "--text", "x", "anna@example.org")
HOLD = """
UPDATE recipients SET state = 'held', held_for = 'in_doubt', due_at = NULL
WHERE message_id = '{}'"""
READ = (("messages", "list", "--json"), ("settings", "history", "--json"))


def test_what_waits_is_sent_from_there_and_nothing_twice(program: Program) -> None:
    key = program.init()
    on_server = {"SMARTHOST_DATABASE_URL": make_database(program.folder)}
    (program.folder / "url.txt").write_text(on_server["SMARTHOST_DATABASE_URL"])
    with running_sink({"u": PASSWORD}) as sink:
        with serving(program) as service:
            application = Application(process=service.client(key))
            application.save(sink.port, ADMIN, **login("u", PASSWORD))
            sent = application.send(subject="sent")
            scheduled = application.send(subject="scheduled", scheduled_at="in 1 hour")
            until(lambda: application.event(sent) == "sent")
        queued, held = (program(*WAITING).out.strip() for _ in range(2))
        execute(program.data_dir / "smarthost.db", HOLD.format(held))
        before = [program(*command).out for command in READ]
        copied = program("database", "copy", "--to-file", "url.txt", "--json")
        assert copied.code == 0, copied.err
        assert [program(*command, **on_server).out for command in READ] == before
        with serving(program, **on_server) as service:
            application = Application(process=service.client(key))
            until(lambda: application.event(queued) == "sent")
            assert application.event(scheduled) == "scheduled"
            assert application.ask("POST", f"/emails/{held}/release").status == 200
            until(lambda: application.event(held) == "sent")
            new = application.send(subject="new")
            until(lambda: application.event(new) == "sent")
            assert application.event(sent) == "sent"
    assert len(sink.taken) == 4
    assert {one.login for one in sink.taken} == {"u"}
    assert sink.refused_logins == 0
    left = rows(program.data_dir, "SELECT state FROM recipients ORDER BY state")
    assert [row[0] for row in left] == ["held", "queued", "queued", "sent"], (
        "the file is as it was"
    )
