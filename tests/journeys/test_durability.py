"""Every 200 to a save comes after the disk has it: read from a trace of the system calls."""

import re
import threading
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.contract.bodies import LOGIN
from tests.contract.process import Process
from tests.journeys.served import serving
from tests.processes import need_tracing

CLIENTS = 4
SAVES_OF_A_CLIENT = 25

# strace(1): "PID call(3</path>, …) = 0", or in two parts around what other threads do meanwhile.
_LINE = re.compile(
    r"(?P<thread>\d+) +(?:(?P<call>\w+)\((?P<fd>\d+)<(?P<file>[^>]*)>(?P<rest>.*)"
    r"|<\.\.\. (?P<resumed>\w+) resumed>(?P<end>.*))"
)


@pytest.mark.needs("strace")
def test_the_disk_has_a_save_before_its_200_is_written(program: Program, key: str) -> None:
    need_tracing()
    trace = program.folder / "trace"
    calls = "trace=fdatasync,fsync,pwrite64,read,recvfrom,write,writev,sendto,sendmsg"
    # -D: the service stays this test's own child, which it can end.
    strace = ["strace", "-D", "-f", "-qq", "-y", "-s", "32", "-o", str(trace), "-e", calls]
    with serving(program, under=strace, SMARTHOST_LOG_LEVEL="info") as service:
        asked = service.client(key)
        clients = [
            threading.Thread(target=_save, args=(asked, number)) for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join(60)
        service.stop()

    assert _answers_after_sync(trace) == CLIENTS * SAVES_OF_A_CLIENT


def _save(service: Process, client: int) -> None:
    for number in range(SAVES_OF_A_CLIENT):
        body = {**LOGIN, "port": 1 + client * SAVES_OF_A_CLIENT + number}
        assert service.ask("POST", "/api/2.0/smtpsettings/smtp", _json(body)).status == 200


def _json(body: object) -> bytes:
    import json

    return json.dumps(body).encode()


def _answers_after_sync(trace: Path) -> int:
    """Return how many saves were answered; each after its commit was on the disk.

    Between reading a request and writing its answer there has to be a write to the WAL and then
    an fdatasync of the WAL that began after it and returned 0.
    """
    reading: dict[str, str] = {}
    syncing: dict[str, int] = {}
    asked: dict[str, int] = {}
    written, synced, answered = 0, 0, 0
    for number, line in enumerate(trace.read_text(encoding="ascii").splitlines(), 1):
        found = _LINE.match(line)
        if found is None:
            continue
        thread, rest = found["thread"], found["rest"] or ""
        ends = not line.endswith("<unfinished ...>")
    return answered
