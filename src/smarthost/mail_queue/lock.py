"""Which of the processes on one database delivers: the one that holds a lock.

With SQLite it is the kernel's (flock(2)): however a process ends, its lock ends with it, and no
file that was left behind keeps mail back.
"""

import fcntl
import os
from pathlib import Path
from typing import Protocol

from smarthost.database.engine import StoreUnavailableError


class Lock(Protocol):
    """Held by one process at a time, as far as that process knows."""

    @property
    def is_held(self) -> bool:
        """Whether this process has the lock."""
        ...

    async def take(self) -> bool:
        """Take the lock; False if another process has it. Raises `StoreUnavailableError`."""
        ...

    async def give_up(self) -> None:
        """Let the lock go, if it is held."""
        ...


class DeliveryLock:
    """Held by one process at a time, on one machine."""

    def __init__(self, path: Path) -> None:
        """`path` is a file on a local file system; it is made when needed and never removed."""
        self._path = path
        self._file: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has the lock."""
        return self._file is not None

    def acquire(self) -> bool:
        """Take the lock without waiting; False if another process has it.

        Raises `StoreUnavailableError` when the file cannot be opened.
        """
        if self.is_held:
            return True
        try:
            # Not inherited: a child would keep the lock beyond this process's end.
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailableError(
                f"{self._path} cannot be opened: {error.strerror}. Give the user that runs "
                "Smarthost write access to its folder."
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if isinstance(error, BlockingIOError):
                return False
            raise StoreUnavailableError(
                f"{self._path} cannot be locked: {error.strerror}. Choose a folder on a local "
                "disk with SMARTHOST_DATA_DIR."
            ) from error
        self._file = file
        return True

    def release(self) -> None:
        """Let the lock go, if it is held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    async def take(self) -> bool:
        """Do as `acquire` does."""
        return self.acquire()

    async def give_up(self) -> None:
        """Do as `release` does."""
        self.release()
