"""Every 200 to a save comes after the disk has it: read from a trace of the system calls."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.program import Program
from tests.contract.bodies import LOGIN
from tests.journeys.served import serving
from tests.processes import need_tracing

SAVES = 100

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
    need_tracing()
    trace = program.folder / "trace"
    calls = "trace=fdatasync,fsync,pwrite64,read,write,writev,sendto,sendmsg"
    # -D: the service stays this test's own child, which it can end.
    strace = ["strace", "-D", "-f", "-qq", "-y", "-s", "32", "-o", str(trace), "-e", calls]
    with serving(program, under=strace) as service:
        client = service.client(key)
        for number in range(1, SAVES + 1):
            assert client.post(json.dumps({**LOGIN, "port": number}).encode())[0] == 200
        service.stop()

    assert _answered_once_synced(trace) == SAVES


def _answered_once_synced(trace: Path) -> int:
    """Return the number of saves answered, each after its commit was on the disk.

    Between the reading of a request and the writing of its answer, pages have to go into the
    WAL, and an fdatasync of the WAL that began after the last of them has to return 0.
    """
    asked: int | None = None
    written, synced, answered = 0, 0, 0
    covers: dict[str, int] = {}
    for number, step in enumerate(_steps(trace), 1):
        if step.call == "read" and step.ends and '"POST ' in step.text:
            assert asked is None
            asked = number
        elif step.file.endswith("-wal") and step.call == "pwrite64":
            # Frames have a page each; the WAL's header has none.
            written = number if step.ends and ", 4096, " in step.text else written
        elif step.file.endswith("-wal") and not step.ends:
            covers[step.thread] = written
        elif step.file.endswith("-wal") and step.text.endswith("= 0"):
            synced = covers[step.thread]
        elif '"HTTP/1.1 200' in step.text and not step.ends:
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
