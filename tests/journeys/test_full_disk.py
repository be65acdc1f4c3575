"""A full disk: saves and e-mails are refused, reads go on, nothing that was accepted is lost, and
all is well again once there is room.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.bodies import LOGIN
from tests.contract.process import Process
from tests.contract.service import EMAILS, SETTINGS
from tests.disks import small_disk
from tests.journeys.application import BATCH, Application, email
from tests.journeys.reconciled import assert_file_is_whole, assert_ledger_closes, rows
from tests.journeys.served import serving
from tests.journeys.sink import dead_port, running_sink, until

MEGABYTE = 1024 * 1024
LARGE = email(text=f"{'x' * 79}\n" * (2 * MEGABYTE // 80))

pytestmark = pytest.mark.needs("mount", "umount")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, "size=2m,mode=0700") as mounted:
        yield mounted


def test_a_full_disk_refuses_saves_and_nothing_else(tmp_path: Path, disk: Path) -> None:
    program = Program(folder=tmp_path)
    environ = {"SMARTHOST_DATA_DIR": str(disk)}
    key = program.init(**environ)
    ballast = disk / "ballast"
    with serving(program, **environ) as service:
        client = service.client(key)
        assert _save(client, 1) == 200
        for _ in range(2):
            _fill(ballast)
            last = _save_until_refused(client)
            read = client.ask("GET", SETTINGS)
            assert (read.status, read.json()["response"]["port"]) == (200, last)
            assert client.ask("GET", "/healthz").status == 200
            # A key's first use need not be written down to be allowed.
            assert _save(client, last + 1) == 503
            ballast.unlink()
            assert _save(client, last + 1) == 200
            assert client.ask("GET", SETTINGS).json()["response"]["port"] == last + 1
    assert not service.events("internal error")
    shown = program("settings", "show", "--json", **environ)
    assert shown.json()["port"] == last + 1
    findings = program("doctor", "--json", **environ).json()
    assert [one["check"] for one in findings if not one["ok"]] == ["free space"]


def test_a_full_disk_refuses_e_mails_and_loses_none(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=128m,mode=0700") as disk:
        ballast = disk / "ballast"
        _fill(ballast, but=24 * MEGABYTE)
        program = Program(folder=tmp_path)
        environ = {"SMARTHOST_DATA_DIR": str(disk)}
        key = program.init(**environ)
        with serving(program, **environ) as service, running_sink() as sink:
            application = Application(process=service.client(key))
            accepted = []
            with dead_port() as nobody:
                application.save(nobody, ADMIN)
                accepted += _send_until_refused(application)
                # Twice refused is not once accepted, and what is there can be looked at.
                assert _send_until_refused(application) == []
                assert application.event(accepted[0]) in ("queued", "delivery_delayed")
                assert application.health()["queued"] == len(accepted)
                assert_ledger_closes(disk)
            # Room is kept for what becomes of the mail: it goes out all the same.
            application.save(sink.port, ADMIN)
            sink.wait_for(len(accepted))
            until(lambda: application.health()["queued"] == 0)
            # Its contents are gone then, and so is the reason to refuse.
            accepted += [application.send()]
            _fill(disk / "more")
            assert application.ask("POST", EMAILS, email()).status == 507
            ballast.unlink()
            accepted += [application.send()]
            taken = sink.wait_for(len(accepted))
            until(lambda: application.health()["queued"] == 0)
            assert len(taken) == len(sink.taken) == len(accepted)
        assert not service.events("internal error")
        stored = rows(disk, "SELECT message_id, state FROM recipients")
        assert dict(stored) == dict.fromkeys(accepted, "sent")
        assert_ledger_closes(disk)
        assert_file_is_whole(disk)


def _send_until_refused(application: Application) -> list[str]:
    """Send large e-mails until there is no room; return the ids of those accepted."""
    ids: list[str] = []
    for _ in range(1_000):
        answer = application.ask("POST", BATCH, [LARGE])
        if answer.status != 200:
            assert (answer.status, answer.json()["name"]) == (507, "application_error")
            return ids
        ids += [one["id"] for one in answer.json()["data"]]
    pytest.fail("the disk never became full")


@pytest.mark.parametrize("room", [0, 40_000, 120_000, 160_000, 200_000])
def test_a_first_start_without_room_says_so_and_spoils_nothing(
    tmp_path: Path, disk: Path, room: int
) -> None:
    program = Program(folder=tmp_path)
    environ = {"SMARTHOST_DATA_DIR": str(disk), "SMARTHOST_ADMIN_EMAIL": ADMIN}
    ballast, key_file = disk / "ballast", disk / "first-key"
    _fill(ballast, but=room)
    refused = program("init", **environ)
    # The store, the key ring and the first key each have a code of their own.
    assert refused.code in (3, 4, 5), refused.err
    assert refused.err.startswith("smarthost: ")
    assert refused.err.count("\n") == 1, refused.err
    assert not key_file.exists()

    ballast.unlink()
    with serving(program, **environ) as service:
        if not key_file.exists():  # all was made but for this one file
            assert "smarthost key create" in refused.err
            line = ("key", "create", "--name", "first", "--permission", "*")
            key_file.write_text(program(*line, **environ).out)
        assert _save(service.client(key_file.read_text().strip()), 1) == 200


def _fill(ballast: Path, but: int = 0) -> None:
    """Take all the room that there is, but for some octets."""
    with ballast.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        file.truncate(file.tell() - but)


def _save(client: Process, port: int) -> int:
    answer = client.ask("POST", SETTINGS, json.dumps({**LOGIN, "port": port}).encode())
    if answer.status == 503:
        assert int(answer.headers["Retry-After"]) >= 1
        assert "nothing was changed" in answer.json()["error"]["message"]
    return answer.status


def _save_until_refused(client: Process) -> int:
    """Return the port of the last save that was answered 200."""
    last = int(client.ask("GET", SETTINGS).json()["response"]["port"])
    for port in range(last + 1, last + 1000):
        status = _save(client, port)
        if status == 503:
            return port - 1
        assert status == 200
    pytest.fail("the disk never became full")
