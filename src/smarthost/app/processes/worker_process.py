"""A worker, as the process that looks after it knows it: whether it runs, serves and gives signs.

How soon it is started again after it has died depends on how soon it died: at once if it had
served for a while, later and later if not.
"""

import contextlib
import os
import signal

from smarthost.app.processes.seat import SERVES

STEADY_SECONDS = 10.0
"""For how long a worker has to have served for its death to count as the first one."""
MOST_PAUSE_SECONDS = 30.0
MOST_SILENT = 4
"""Looks in a row that find no sign of life; after one more the worker is taken for hung."""

_FIRST_PAUSE_SECONDS = 0.5
_MOST_OCTETS = 4096


class WorkerProcess:
    """One of the workers; it has a number for good, and a process for as long as that lives."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid: int | None = None
        self.ready = False
        self.quick_deaths = 0
        """Deaths in a row that came soon."""
        self.start_at = 0.0
        """When it may be started, as monotonic time."""
        self._line: int | None = None
        self._ready_at = 0.0
        self._silent = 0

    def began(self, pid: int, line: int) -> None:
        """Take a new process, and the descriptor that it tells how it is."""
        os.set_blocking(line, False)
        self.pid, self._line, self._silent = pid, line, 0

    def fileno(self) -> int:
        """Return what can be read when it tells something."""
        return -1 if self._line is None else self._line

    def hear(self, now: float) -> None:
        """Read what it tells at this moment."""
        told = b""
        if self._line is not None:
            with contextlib.suppress(BlockingIOError):
                told = os.read(self._line, _MOST_OCTETS)
        if told:
            self._silent = 0
        if SERVES in told:
            self.ready, self._ready_at = True, now

    def is_silent(self) -> bool:
        """Look once more; tell whether there was no sign at too many looks."""
        self._silent += 1
        return self._silent > MOST_SILENT

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if there is a process."""
        if self.pid is not None:
            # It is not waited for yet, so the number is nobody else's.
            os.kill(self.pid, number)

    def ended(self, now: float) -> None:
        """Take down that the process is gone, and when the next one may begin."""
        steady = self.ready and now - self._ready_at >= STEADY_SECONDS
        self.quick_deaths = 0 if steady else self.quick_deaths + 1
        pause = 0.0
        if self.quick_deaths > 1:
            pause = min(MOST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** (self.quick_deaths - 2))
        self.start_at = now + pause
        self.pid, self.ready = None, False
        self.hang_up()

    def hang_up(self) -> None:
        """Close the line."""
        if self._line is not None:
            os.close(self._line)
            self._line = None
