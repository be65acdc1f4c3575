"""`smarthost serve` as a fork of a process that has loaded the program and does nothing else.

Loading takes most of the processor's time of a start and leaves nothing behind, so that a test
that kills the service hundreds of times learns nothing from it. Signals, files, the environment
and the way to the end are those of a process of its own.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

# What `serve` loads when it runs.
import smarthost.app.processes.serving
import smarthost.cli  # noqa: F401
from smarthost.__main__ import main
from tests.cli.program import Program
from tests.journeys.served import LOUD, Served, watched

_ROOT = Path(__file__).parents[2]
_LONGEST = 1 << 16


class Forked:
    """A child of the loaded process, with what is used of `subprocess.Popen`."""

    def __init__(self, control: socket.socket, stdout: IO[str], stderr: IO[str]) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.pid = int(control.recv(_LONGEST))
        self._control = control
        self._code: int | None = None

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            if not select.select([self._control], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("serve", timeout or 0)
            self._code = int(self._control.recv(_LONGEST))
        return self._code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Preloaded:
    """The loaded program; one service at a time."""

    def __init__(self, program: Program, control: socket.socket) -> None:
        self._program = program
        self._control = control

    @contextlib.contextmanager
    def started(self, **environ: str) -> Iterator[Served]:
        """As `tests.journeys.served.started`."""
        asked = {
            "environment": self._program.environment(LOUD | environ),
            "folder": str(self._program.folder),
        }
        (out, stdout), (err, stderr) = os.pipe(), os.pipe()
        socket.send_fds(self._control, [json.dumps(asked).encode()], [stdout, stderr])
        os.close(stdout)
        os.close(stderr)
        with watched(Forked(self._control, os.fdopen(out), os.fdopen(err))) as service:
            yield service


@contextlib.contextmanager
def preloaded(program: Program) -> Iterator[Preloaded]:
    """Load the program for services on its folder."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            loaded = subprocess.Popen(
                [sys.executable, "-m", "tests.journeys.preloaded", str(theirs.fileno())],
                env=program.environment({}), cwd=_ROOT, pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        yield Preloaded(program, ours)
    assert loaded.wait(60) == 0


def _load_and_fork(control: socket.socket) -> None:
    while True:
        asked, files, _, _ = socket.recv_fds(control, _LONGEST, 2)
        if not asked:
            return
        child = os.fork()
        if child == 0:
            control.close()
            _serve(json.loads(asked), files)
        for file in files:
            os.close(file)
        control.send(str(child).encode())
        _, status = os.waitpid(child, 0)
        control.send(str(os.waitstatus_to_exitcode(status)).encode())


def _serve(asked: Mapping[str, Any], files: Sequence[int]) -> NoReturn:
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["smarthost", "serve"]
    main()  # which ends in SystemExit
    raise AssertionError


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as passed:
        _load_and_fork(passed)
