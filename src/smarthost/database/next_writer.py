"""Who is the next of several processes to write, so that none of them waits for long.

SQLite has no queue: a process that has just committed begins again before another one, which looks
now and then whether it may, ever finds the moment. Whoever wants to write is first to be the next
one, and there is one next at a time; so a process that has committed has to let that one in before
it can be next itself. It is only manners, and SQLite's own lock is what keeps writers apart: where
this cannot be had, it is done without.
"""

import contextlib
import fcntl
import os
from pathlib import Path


class NextWriter:
    """A lock of the kernel's (flock(2)) on a folder: it ends with its process, and is no file.

    Belongs to one connection that writes.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` is the one that the database is in."""
        self._folder: int | None = None
        with contextlib.suppress(OSError):
            self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def become(self) -> bool:
        """Be the next one, if nobody is; never waits."""
        return self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)

    def let_in(self) -> None:
        """Be the next one no more: somebody else may."""
        self._lock(fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the folder."""
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None

    def _lock(self, operation: int) -> bool:
        if self._folder is not None:
            try:
                fcntl.flock(self._folder, operation)
            except BlockingIOError:
                return False
            except OSError:  # a file system without such locks
                return True
        return True
