"""A PostgreSQL of the tests' own: private, and gone at the end.

Each process of pytest that needs one has one, since that costs half a second and nothing has to be
agreed on. Its files are in memory where there is room: what is asked is what it answers, not how
fast a disk is.
"""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from servers.postgresql import Server

_MEMORY = Path("/dev/shm")
_ROOM = 1 << 30
_NAME = "smarthost-tests-"
_SETTINGS = {
    "shared_buffers": "32MB",
    "max_connections": "100",
    "wal_level": "minimal",
    "dynamic_shared_memory_type": "mmap",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "log_min_messages": "warning",
}


class PostgresqlServer(Server):
    """Runs from its making to `stop`."""

    def __init__(
        self,
        under: Sequence[str] = (),
        *,
        standby_of: Server | None = None,
        **settings: str,
    ) -> None:
        """`settings` are added to those of tests; `under` is a command that starts it."""
        _remove_dead()
        folder = tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=_folder_for_files())
        super().__init__(Path(folder), {**_SETTINGS, **settings}, under, standby_of=standby_of)

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Have it stand still, with all that it was asked: nothing is answered, nothing closed."""
        processes = self._stand_still()
        try:
            yield
        finally:
            for process in reversed(processes):
                os.kill(process, signal.SIGCONT)

    def lose(self) -> None:
        """Have it gone at once, with all its processes, as when its machine loses its power."""
        for process in self._stand_still():
            os.kill(process, signal.SIGKILL)
        self.stop(crash=True)

    def _stand_still(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        # It goes first and comes back last, so that it begins nothing else meanwhile.
        processes = [self.pid, *map(int, children)]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):  # a session that has just ended
                os.kill(process, signal.SIGSTOP)
        return processes


def _folder_for_files() -> str | None:
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_MEMORY).free >= _ROOM and os.access(_MEMORY, os.W_OK):
            return str(_MEMORY)
    return None


def _remove_dead() -> None:
    """Remove what test processes that were killed have left in memory."""
    for folder in _MEMORY.glob(f"{_NAME}*"):
        if not Path(f"/proc/{folder.name.removeprefix(_NAME).partition('-')[0]}").exists():
            shutil.rmtree(folder, ignore_errors=True)
