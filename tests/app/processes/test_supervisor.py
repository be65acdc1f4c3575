"""A supervisor with workers that do next to nothing, in a program of its own for each test.

The program prints a line for each thing that happens; a worker's line has its number and process.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import start_python, wait_until_ended

PATIENCE = 30.0
PROGRAM = """
import asyncio, os, signal, sys, time
from smarthost.app.logs import configure_logs
from smarthost.app.processes.caught_signals import CaughtSignals
from smarthost.app.processes.supervisor import SIGNALS, Supervisor, WorkersFailedError
from smarthost.app.service_manager import manager_of
from smarthost.clock import SystemClock

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

async def serve(seat):
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, say, "reloaded", seat.number)
    seat.when_alone(lambda: (say("alone", seat.number), stopped.set()))
    signs = asyncio.create_task(seat.give_signs(SystemClock()))
    say("begun", seat.number, os.getpid())
    seat.tell_ready()
    await stopped.wait()
    say("drained", seat.number)

def work(seat):
    if sys.argv[1] == "serve":
        asyncio.run(serve(seat))
        return 0
    say("begun", seat.number, os.getpid())
    if sys.argv[1] == "hang":
        time.sleep(60)
    return 5

def ready():
    say("ready", threads())
    if sys.argv[2:] == ["refuse"]:
        raise KeyError("no")

def threads():
    return sum(1 for _ in os.scandir("/proc/self/task"))

configure_logs("json", "info")
with CaughtSignals(SIGNALS) as signals:
    manager = manager_of(os.environ, os.getpid())
    supervisor = Supervisor(
        2, work, ready, lambda: say("released"), signals, manager, SystemClock()
    )
    try:
        supervisor.run()
    except (WorkersFailedError, KeyError) as error:
        say("failed", error)
        sys.exit(1)
say("ended")
"""


class Supervised:
    """The program as it runs."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, words: str, many: int = 1) -> list[str]:
        """Return the lines that begin so, once there are so many."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.told(words)) >= many, PATIENCE), self.lines
        return self.told(words)

    def told(self, words: str) -> list[str]:
        return [line for line in list(self.lines) if f"{line} ".startswith(f"{words} ")]

    def pid(self, worker: int, start: int = 1) -> int:
        """Return the process of a worker at its start of that number."""
        return int(self.wait_for(f"begun {worker}", start)[start - 1].split()[2])

    def ended(self) -> tuple[int, list[dict[str, object]]]:
        """Wait for the end; return the exit code and the log."""
        code = self.process.wait(PATIENCE)
        assert self.process.stderr is not None
        log = [json.loads(line) for line in self.process.stderr.read().splitlines()]
        self._reader.join(PATIENCE)
        return code, log

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.strip())
                self._news.notify_all()


Start = Callable[..., Supervised]


@pytest.fixture
def start() -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def started(*arguments: str) -> Supervised:
            process = stack.enter_context(start_python(PROGRAM, *arguments))
            stack.callback(process.kill)
            return Supervised(process)

        yield started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_the_sockets_go_first_and_then_each_worker_drains(
    start: Start, number: signal.Signals
) -> None:
    service = start("serve")
    service.wait_for("ready")
    service.process.send_signal(number)
    code, log = service.ended()
    assert (code, log) == (0, [])
    assert service.lines[-4] == "released"
    assert set(service.lines[-3:-1]) == {"drained 1", "drained 2"}
    assert service.lines[-1] == "ended"


def test_a_worker_that_is_killed_or_ends_is_started_again(start: Start) -> None:
    service = start("serve")
    service.wait_for("ready")
    os.kill(service.pid(1), signal.SIGKILL)
    assert service.pid(1, start=2) != service.pid(1)
    os.kill(service.pid(2), signal.SIGTERM)
    service.pid(2, start=2)
    service.process.terminate()
    code, log = service.ended()
    assert code == 0
    assert [(one["worker"], one["signal"], one["exit_code"]) for one in log] == [
        (1, "SIGKILL", None),
        (2, None, 0),
    ]
    assert service.told("ready") == ["ready 1"], "once, and from the only thread"


def test_a_start_that_cannot_be_announced_ends_in_order(start: Start) -> None:
    service = start("serve", "refuse")
    code, log = service.ended()
    assert (code, log) == (1, [])
    assert set(service.lines[-3:-1]) == {"drained 1", "drained 2"}
    assert service.lines[-1] == "failed 'no'"


def test_workers_that_never_serve_end_the_start(start: Start) -> None:
    service = start("die")
    code, log = service.ended()
    assert code == 1
    assert {one["exit_code"] for one in log} == {5}
    assert 4 <= len(log) <= 6
    (failed,) = service.told("failed")
    assert "ended 3 times at the start" in failed


def test_a_hung_worker_is_killed_and_another_begun(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    service = start("serve")
    service.wait_for("ready")
    os.kill(service.pid(2), signal.SIGSTOP)
    service.pid(2, start=2)
    service.process.terminate()
    code, log = service.ended()
    assert code == 0
    events = [(one["event"], one["worker"]) for one in log]
    assert events == [("worker gives no sign of life", 2), ("worker ended by itself", 2)]


def test_a_worker_that_hangs_before_it_serves_is_no_start(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "250000")
    service = start("hang")
    code, log = service.ended()
    assert code == 1
    assert {one["signal"] for one in log if one["event"] == "worker ended by itself"} == {
        "SIGKILL"
    }
    assert not service.told("ready")


def test_workers_end_with_a_supervisor_that_is_killed(start: Start) -> None:
    service = start("serve")
    service.wait_for("ready")
    pids = [service.pid(1), service.pid(2)]
    service.process.kill()
    code, _ = service.ended()
    assert code == -signal.SIGKILL
    assert set(service.lines[-4:]) == {"alone 1", "alone 2", "drained 1", "drained 2"}
    wait_until_ended(pids)


def test_a_reload_reaches_all(start: Start) -> None:
    service = start("serve")
    service.wait_for("ready")
    service.process.send_signal(signal.SIGHUP)
    service.wait_for("reloaded 1")
    service.wait_for("reloaded 2")
    service.process.terminate()
    assert service.ended()[0] == 0


def test_the_manager_hears_signs_of_life_and_the_stop(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "500000")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(PATIENCE)
        service = start("serve")
        service.wait_for("ready")
        assert [manager.recv(100) for _ in range(4)] == [b"WATCHDOG=1"] * 4
        service.process.terminate()
        heard = b""
        while b"STOPPING=1" not in heard:
            heard = manager.recv(100)
    assert service.ended()[0] == 0
