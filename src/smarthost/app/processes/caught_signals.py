"""Signals as something to wait for beside everything else, in a program without an event loop.

The kernel interrupts at any instruction; what is written to a socket by Python's own handler is
read when there is time for it (`signal.set_wakeup_fd`).
"""

import contextlib
import signal
import socket
from collections.abc import Iterable, Iterator
from typing import Self


class CaughtSignals:
    """Collects signals from its making until `forget`, or the end of a `with`."""

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        """Catch these; only the main thread may."""
        self._ours, self._handlers = socket.socketpair()
        self._ours.setblocking(False)
        self._handlers.setblocking(False)
        self._before = {number: signal.signal(number, _note) for number in numbers}
        # More than fit are the same few again and again.
        signal.set_wakeup_fd(self._handlers.fileno(), warn_on_full_buffer=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.forget()

    def fileno(self) -> int:
        """Return what can be read when there is a signal."""
        return self._ours.fileno()

    def come(self) -> set[int]:
        """Return the numbers of those that came since the last call."""
        numbers: set[int] = set()
        with contextlib.suppress(BlockingIOError):
            while octets := self._ours.recv(4096):
                numbers.update(octets)
        return numbers

    def forget(self) -> None:
        """Catch none any more; each means again what it meant before."""
        signal.set_wakeup_fd(-1)
        for number, before in self._before.items():
            signal.signal(number, before)
        self._ours.close()
        self._handlers.close()


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Have signals wait until the end of this, in a process that is forked meanwhile too."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _note(_number: int, _frame: object) -> None:
    """Do nothing: that it came is written to the socket."""
