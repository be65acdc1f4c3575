import os
from collections.abc import Iterator

import pytest

from smarthost.app.processes.seat import LIVES, SERVES
from smarthost.app.processes.worker_process import (
    MOST_PAUSE_SECONDS,
    MOST_SILENT,
    STEADY_SECONDS,
    WorkerProcess,
)


@pytest.fixture
def worker() -> Iterator[WorkerProcess]:
    worker = WorkerProcess(1)
    yield worker
    worker.hang_up()


def begin(worker: WorkerProcess) -> int:
    """Begin a process, and return where it tells how it is."""
    hearing, telling = os.pipe()
    worker.began(1, hearing)
    return telling


def pause_after_a_death(worker: WorkerProcess, *, lived: float | None) -> float:
    """Let it serve for so long, or not at all, and die; return the pause behind it."""
    telling = begin(worker)
    if lived is not None:
        os.write(telling, SERVES)
        worker.hear(100.0)
    os.close(telling)
    died = 100.0 + (lived or 0.0)
    worker.ended(died)
    return worker.start_at - died


def test_the_pause_grows_with_each_death_that_comes_soon(worker: WorkerProcess) -> None:
    pauses = [pause_after_a_death(worker, lived=one) for one in [None, 1.0, None, 1.0, None]]
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0]
    assert worker.quick_deaths == 5
    for _ in range(5):
        pause = pause_after_a_death(worker, lived=None)
    assert pause == MOST_PAUSE_SECONDS


def test_one_that_has_served_for_a_while_is_started_again_at_once(worker: WorkerProcess) -> None:
    for _ in range(4):
        pause_after_a_death(worker, lived=None)
    assert pause_after_a_death(worker, lived=STEADY_SECONDS) == 0.0
    assert worker.quick_deaths == 0


def test_it_is_ready_once_it_says_so(worker: WorkerProcess) -> None:
    telling = begin(worker)
    os.write(telling, LIVES)
    worker.hear(1.0)
    before = worker.ready
    os.write(telling, SERVES + LIVES)
    worker.hear(2.0)
    assert (before, worker.ready) == (False, True)
    os.close(telling)


def test_nothing_is_left_of_a_process_that_has_died(worker: WorkerProcess) -> None:
    assert pause_after_a_death(worker, lived=1.0) == 0.0
    assert (worker.ready, worker.pid, worker.fileno()) == (False, None, -1)


def test_it_is_silent_after_some_looks_without_a_sign(worker: WorkerProcess) -> None:
    telling = begin(worker)
    looks = [worker.is_silent() for _ in range(MOST_SILENT)]
    os.write(telling, LIVES)
    worker.hear(1.0)
    looks += [worker.is_silent() for _ in range(MOST_SILENT)]
    assert not any(looks)
    assert worker.is_silent()
    os.close(telling)
