"""Every 200 to a save, and to an e-mail, and every 250 to a message by SMTP comes after the disk
has it: read from a trace of the system calls.
"""

import json
import re
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from smarthost.mail_queue.lock import DeliveryLock
from tests.cli.program import Program
from tests.contract.bodies import LOGIN
from tests.journeys.application import Application, email
from tests.journeys.served import Served, serving
from tests.processes import need_tracing

SAVES = 100
MESSAGES = 50

# strace(1) writes "PID call(3</path>, …) = 0", or in two lines around what other threads do.
_WHOLE = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\(\d+<(?P<file>[^>]*)>(?P<rest>.*)")
_RESUMED = re.compile(r"(?P<thread>\d+) +<\.\.\. \w+ resumed>(?P<rest>.*)")
_UNFINISHED = "<unfinished ...>"


class Step(NamedTuple):
    """A call begins or ends; `text` is what strace tells of it there."""

    ends: bool
    thread: str
    call: str
    file: str
    text: str


@pytest.mark.needs("strace")
def test_the_disk_has_a_save_before_its_200_is_written(program: Program, key: str) -> None:
    with _traced(program) as service:
        client = service.client(key)
        for number in range(1, SAVES + 1):
            assert client.post(json.dumps({**LOGIN, "port": number}).encode())[0] == 200

    assert _answered_once_synced(_trace(program)) == SAVES


@pytest.mark.needs("strace")
@pytest.mark.parametrize("octets", [100, 100_000])
def test_the_disk_has_an_e_mail_before_its_200_is_written(
    program: Program, key: str, octets: int
) -> None:
    # One that is to go later, so that between question and answer nothing else is written.
    later = email(text="x" * 70 + "\n" + "y" * octets, scheduled_at="in 1 hour")
    with _traced(program) as service:
        application = Application(process=service.client(key))
        application.save(25, "admin@example.com")
        for number in range(1, SAVES + 1):
            path, body = ("/emails/batch", [later] * 3) if number % 4 == 0 else ("/emails", later)
            answer = application.ask("POST", path, body, Idempotency_Key=str(number))
            assert answer.status == 200, answer.body

    assert _answered_once_synced(_trace(program)) == 1 + SAVES


@pytest.mark.needs("strace")
@pytest.mark.parametrize("octets", [100, 100_000])
def test_the_disk_has_a_message_before_its_250_is_written(
    program: Program, key: str, octets: int
) -> None:
    content = "From: admin@example.com\r\n\r\n" + ("x" * 70 + "\r\n") * (octets // 70)
    # Nothing is delivered, so that between question and answer nothing else is written.
    lock = DeliveryLock(program.data_dir / "delivery.lock")
    assert lock.acquire()
    with _released(lock), _traced(program) as service:
        Application(process=service.client(key)).save(25, "admin@example.com")
        with smtplib.SMTP("127.0.0.1", service.smtp_port, timeout=60) as client:
            client.login("app", key)
            for _ in range(MESSAGES):
                client.sendmail("admin@example.com", ["anna@example.net"], content)

    taken = _answered_once_synced(_trace(program), asked_by='"From: ', answer='"250 2.0.0 Ok: q')
    assert taken == MESSAGES


@contextmanager
def _released(lock: DeliveryLock) -> Iterator[None]:
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _traced(program: Program) -> Iterator[Served]:
    """Run a service; at the end it has stopped, and its trace is whole."""
    need_tracing()
    calls = "trace=fdatasync,fsync,pwrite64,read,write,writev,sendto,sendmsg"
    # -D: the service stays this test's own child, which it can end.
    writing = ["-o", str(_trace(program))]
    strace = ["strace", "-D", "-f", "-qq", "-y", "-s", "32", "-e", calls, *writing]
    with serving(program, under=strace) as service:
        yield service
        service.stop()


def _trace(program: Program) -> Path:
    return program.folder / "trace"


def _answered_once_synced(
    trace: Path, *, asked_by: str = '"POST ', answer: str = '"HTTP/1.1 200'
) -> int:
    """Return the number of saves answered, each after its commit was on the disk.

    Between the reading of a request and the writing of its answer, pages have to go into the
    WAL, and an fdatasync of the WAL that began after the last of them has to return 0.
    """
    asked: int | None = None
    written, synced, answered = 0, 0, 0
    covers: dict[str, int] = {}
    for number, step in enumerate(_steps(trace), 1):
        if step.call == "read" and step.ends and asked_by in step.text:
            assert asked is None
            asked = number
        elif step.file.endswith("-wal") and step.call == "pwrite64":
            # Frames have a page each; the WAL's header has none.
            written = number if step.ends and ", 4096, " in step.text else written
        elif step.file.endswith("-wal") and not step.ends:
            covers[step.thread] = written
        elif step.file.endswith("-wal") and step.text.endswith("= 0"):
            synced = covers[step.thread]
        elif answer in step.text and not step.ends:
            assert asked is not None
            assert asked < written <= synced, f"save {answered + 1}"
            asked, answered = None, answered + 1
    return answered


def _steps(trace: Path) -> Iterator[Step]:
    begun: dict[str, Step] = {}
    for line in trace.read_text(encoding="ascii").splitlines():
        if found := _WHOLE.match(line):
            thread, call, file, text = found.groups()
            begun[thread] = Step(ends=False, thread=thread, call=call, file=file, text=text)
            yield begun[thread]
            if not text.endswith(_UNFINISHED):
                yield begun[thread]._replace(ends=True)
        elif found := _RESUMED.match(line):
            before = begun[found["thread"]]
            yield before._replace(ends=True, text=before.text + found["rest"])
