"""A back-up under load, restored elsewhere; a rotation of the key ring under load."""

import contextlib
import threading
from collections.abc import Iterator

from tests.cli.program import ADMIN, Program
from tests.journeys.application import Application, login
from tests.journeys.reconciled import assert_file_is_whole, assert_ledger_closes, rows
from tests.journeys.served import Served, serving
from tests.journeys.sink import running_sink, until

PASSWORD = "c4nary p4ssw0rd"
AHEAD = 30
"""E-mails that are sent before anything else happens."""
STATES = "SELECT state, held_for FROM recipients WHERE due_at IS NOT NULL OR state = 'held'"


@contextlib.contextmanager
def sending(application: Application) -> Iterator[list[str]]:
    """Send e-mails one after the other meanwhile; give their ids as they come."""
    ids: list[str] = []
    ended = threading.Event()

    def send() -> None:
        while not ended.is_set():
            ids.append(application.send(subject=f"n{len(ids)}"))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        until(lambda: len(ids) >= AHEAD or not thread.is_alive())
        yield ids
    finally:
        ended.set()
        thread.join(60)
    assert len(ids) > AHEAD, "it went on all the time"


def clients(service: Served, key: str) -> list[Application]:
    return [Application(process=service.client(key)) for _ in range(2)]


def test_a_back_up_of_a_running_service_sends_nothing_again(program: Program, key: str) -> None:
    with running_sink({"u": PASSWORD}) as sink:
        with serving(program) as service:
            first, second = clients(service, key)
            first.save(sink.port, ADMIN, **login("u", PASSWORD))
            later = first.send(scheduled_at="in 1 hour")
            with sending(first) as one, sending(second) as other:
                made = program("database", "backup", "copy.db", "--json")
                assert made.code == 0, made.err
            sink.wait_for(len(one) + len(other))
        before = len(sink.taken)
        elsewhere = Program(folder=program.folder / "elsewhere")
        elsewhere.folder.mkdir()
        restored = elsewhere("database", "restore", str(program.folder / "copy.db"))
        assert restored.code == 0, restored.err
        refused = elsewhere("serve")
        assert (refused.code, "keyring.json is missing" in refused.err) == (3, True)
        (elsewhere.data_dir / "keyring.json").write_bytes(
            (program.data_dir / "keyring.json").read_bytes()
        )
        (elsewhere.data_dir / "keyring.json").chmod(0o600)
        with serving(elsewhere) as service:
            (told,) = service.events("this database comes out of a back-up: its mail is held")
            assert_ledger_closes(elsewhere.data_dir)
            held = rows(elsewhere.data_dir, "SELECT message_id FROM recipients WHERE state='held'")
            assert told["held"] == len(held) >= 1
            assert (later,) in held
            assert set(rows(elsewhere.data_dir, STATES)) == {("held", "restored")}
            # What is new goes out, with the password of then: so the worker has looked.
            application = Application(process=service.client(key))
            new = application.send(subject="new")
            (taken,) = sink.wait_for(before + 1)[before:]
            assert b"\r\nSubject: new\r\n" in taken.content
            until(lambda: application.event(new) == "sent")
            # What a person lets go goes out, once, and the scheduled one waits on.
            assert elsewhere("messages", "release", "--restored").code == 0
            sink.wait_for(before + len(held))
            until(lambda: application.health()["queued"] == 0)
            assert len(sink.taken) == before + len(held)
            assert application.event(later) == "scheduled"
    assert_ledger_closes(elsewhere.data_dir)
    assert_file_is_whole(elsewhere.data_dir)


def test_mail_goes_on_while_the_key_ring_is_rotated(program: Program, key: str) -> None:
    with running_sink({"u": PASSWORD}) as sink, serving(program) as service:
        first, second = clients(service, key)
        first.save(sink.port, ADMIN, **login("u", PASSWORD))
        with sending(first) as one, sending(second) as other:
            for number in range(2):
                told = program("keyring", "rotate", "--json")
                assert told.code == 0, told.err
                # The next message needs a session of its own, and so the password.
                second.save(
                    sink.port, ADMIN, senderDisplayName=f"{number}", **login("u", PASSWORD)
                )
        sink.wait_for(len(one) + len(other))
        until(lambda: first.health()["queued"] == 0)
        assert sink.refused_logins == 0
        assert first.health()["held"] == 0
        output = "".join(service.log)
    assert PASSWORD not in output
    keys = rows(program.data_dir, "SELECT key_id FROM sealing_keys")
    assert (told.json()["key"],) in keys
    assert_ledger_closes(program.data_dir)
