"""Starts workers, and starts each again that has died, until it is told to stop.

Workers are forked from this process once all is bound and read, so that they begin within a
moment and share its memory; for that it has neither threads nor an event loop. It touches no
store and answers nobody: there is little in it that could fail. Why it is built so:
`docs/decisions/0008-processes-share-sockets.md`.
"""

import os
import selectors
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import structlog

from smarthost.app.processes.caught_signals import CaughtSignals, signals_held
from smarthost.app.processes.seat import Seat
from smarthost.app.processes.worker_process import MOST_SILENT, WorkerProcess
from smarthost.app.service_manager import ServiceManager
from smarthost.app.signals import has_terminal
from smarthost.clock import Clock

log = structlog.get_logger("smarthost.app")

SILENT_SECONDS = 180.0
"""After so long without a sign of life a worker is killed, unless the manager says otherwise."""
STOP_SECONDS = 40.0
"""How long workers get to stop: more than they allow themselves for all that is under way."""
MOST_DEATHS = 3
"""Deaths in a row of one worker after which a start is given up."""

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD})
"""What a supervisor has to be told of."""

_SIGNS_A_LOOK = 2

Work = Callable[[Seat], int]
"""What a worker does in its own process; returns its exit code."""


class WorkersFailedError(Exception):
    """The workers do not come to serve; the log says what each of them died of."""


class Supervisor:
    """Looks after workers from `run` to the stop."""

    def __init__(
        self,
        workers: int,
        work: Work,
        ready: Callable[[], None],
        release: Callable[[], None],
        signals: CaughtSignals,
        manager: ServiceManager,
        clock: Clock,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        """`signals` catches `SIGNALS`, so that none is missed before this is made.

        `ready` is called once all serve for the first time; `release` lets go what this process
        holds for the workers, before they are told to stop. What has not ended `stop_seconds`
        later is killed.
        """
        self._workers = [WorkerProcess(number) for number in range(1, workers + 1)]
        self._work = work
        self._ready = ready
        self._release = release
        self._manager = manager
        self._clock = clock
        self._look_seconds = (manager.watchdog_seconds or SILENT_SECONDS) / (MOST_SILENT + 1)
        self._stop_seconds = stop_seconds
        self._next_look = 0.0
        self._all_served = False
        self._stop_by: float | None = None
        self._fault: Exception | None = None
        self._lifeline, self._held = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._signals = signals
        self._selector.register(self._signals, selectors.EVENT_READ)

    def run(self) -> None:
        """Keep all workers running until SIGTERM or SIGINT, and until they have ended then.

        Raises `WorkersFailedError`, and what `ready` raises.
        """
        try:
            while self._stop_by is None or any(one.pid is not None for one in self._workers):
                self._turn()
        finally:
            self._selector.close()
            os.close(self._held)
            os.close(self._lifeline)
        if self._fault is not None:
            raise self._fault

    def _turn(self) -> None:
        now = self._clock.monotonic()
        if self._stop_by is None:
            self._start_due(now)
        for key, _ in self._selector.select(self._seconds_left(self._clock.monotonic())):
            if isinstance(key.fileobj, WorkerProcess):
                key.fileobj.hear(self._clock.monotonic())
        now = self._clock.monotonic()
        self._heed(self._signals.come(), now)
        self._bury(now)
        if not self._all_served and all(one.ready for one in self._workers):
            self._all_served = True
            self._tell_ready(now)
        if now >= self._next_look:
            self._look(now)
        if self._stop_by is not None and now >= self._stop_by:
            self._send_all(signal.SIGKILL)
            self._stop_by = now + STOP_SECONDS

    def _tell_ready(self, now: float) -> None:
        try:
            self._ready()
        except Exception as error:  # noqa: BLE001 - raised once the workers have ended
            self._fault = error
            self._stop(now)

    def _seconds_left(self, now: float) -> float:
        moments = [self._next_look]
        if self._stop_by is not None:
            moments.append(self._stop_by)
        else:
            moments += [one.start_at for one in self._workers if one.pid is None]
        return max(0.0, min(moments) - now)

    def _start_due(self, now: float) -> None:
        for worker in self._workers:
            if worker.pid is None and now >= worker.start_at:
                self._start(worker)

    def _start(self, worker: WorkerProcess) -> None:
        hearing, telling = os.pipe()
        # What is buffered would be written by both.
        sys.stdout.flush()
        sys.stderr.flush()
        with signals_held():
            pid = os.fork()
            if pid == 0:
                self._become_worker(worker, hearing, telling)
        os.close(telling)
        worker.began(pid, hearing)
        self._selector.register(worker, selectors.EVENT_READ)

    def _become_worker(self, worker: WorkerProcess, hearing: int, telling: int) -> NoReturn:
        """Be a worker from here on, and never come back to where the supervisor goes on."""
        code = 1
        try:
            self._signals.forget()
            self._selector.close()
            for descriptor in (hearing, self._held):
                os.close(descriptor)
            for other in self._workers:
                other.hang_up()
            # Ctrl-C reaches all processes of a terminal; the supervisor says what it means.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            code = self._work(
                Seat(
                    number=worker.number,
                    telling=telling,
                    lifeline=self._lifeline,
                    sign_seconds=self._look_seconds / _SIGNS_A_LOOK,
                )
            )
        except BaseException:  # noqa: BLE001 - nothing is to come through to the supervisor's part
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _heed(self, numbers: set[int], now: float) -> None:
        if signal.SIGHUP in numbers and not has_terminal():
            self._send_all(signal.SIGHUP)
        elif numbers & {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}:
            self._stop(now)

    def _stop(self, now: float) -> None:
        if self._stop_by is None:
            self._stop_by = now + self._stop_seconds
            self._manager.tell_stopping()
            self._release()
            self._send_all(signal.SIGTERM)

    def _bury(self, now: float) -> None:
        for worker in self._workers:
            if worker.pid is None:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid:
                continue
            worker.hear(now)
            self._selector.unregister(worker)
            worker.ended(now)
            if self._stop_by is None:
                self._mourn(worker, pid, os.waitstatus_to_exitcode(status), now)

    def _mourn(self, worker: WorkerProcess, pid: int, code: int, now: float) -> None:
        log.error(
            "worker ended by itself",
            worker=worker.number,
            pid=pid,
            exit_code=code if code >= 0 else None,
            signal=signal.Signals(-code).name if code < 0 else None,
            again_in_seconds=round(worker.start_at - now, 1),
        )
        if not self._all_served and worker.quick_deaths >= MOST_DEATHS:
            self._fault = WorkersFailedError(
                f"Process {worker.number} of {len(self._workers)} ended {MOST_DEATHS} times at "
                "the start. The lines before this one say why."
            )
            self._stop(now)

    def _look(self, now: float) -> None:
        """Give the manager a sign of life, and end workers that give none."""
        self._next_look = now + self._look_seconds
        if self._manager.watchdog_seconds is not None:
            self._manager.tell_alive()
        for worker in self._workers:
            if worker.pid is not None and worker.is_silent() and self._stop_by is None:
                log.error("worker gives no sign of life", worker=worker.number, pid=worker.pid)
                worker.send(signal.SIGKILL)

    def _send_all(self, number: signal.Signals) -> None:
        for worker in self._workers:
            worker.send(number)
