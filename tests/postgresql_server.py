"""A PostgreSQL of the tests' own, from Debian's binaries: private, and gone at the end.

Each process of pytest that needs one has one, since that costs half a second and nothing has to be
agreed on. It is told by the kernel when that process ends, however it does. Its files are in
memory where there is room: what is asked is what it answers, not how fast a disk is.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")

_BINARIES = Path("/usr/lib/postgresql")
_MEMORY = Path("/dev/shm")
_ROOM = 1 << 30
_USER = "smarthost"
_NAME = "smarthost-tests-"
_START_SECONDS = 30.0
_SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "wal_level": "minimal",
    "dynamic_shared_memory_type": "mmap",
    "max_wal_senders": "0",
    "max_wal_size": "128MB",
    "min_wal_size": "32MB",
    "log_min_messages": "warning",
}


def find_binaries() -> Path | None:
    """Return the folder with the newest PostgreSQL of this machine, None if it has none."""
    found = [path.parent for path in _BINARIES.glob("*/bin/postgres")]
    if not found and (on_path := shutil.which("postgres")):
        return Path(on_path).resolve().parent
    return max(found, key=lambda path: float(path.parent.name), default=None)


def apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own, from wherever this is called."""
    results: list[T] = []
    thread = threading.Thread(target=lambda: results.append(asyncio.run(coroutine)))
    thread.start()
    thread.join()
    return results[0]


class PostgresqlServer:
    """Runs from its making to `stop`."""

    def __init__(self, under: Sequence[str] = (), **settings: str) -> None:
        """`settings` are added to those of tests; `under` is a command that starts it."""
        binaries = find_binaries()
        assert binaries is not None, "PostgreSQL is not installed"
        self._binaries = binaries
        _remove_dead()
        self.folder = Path(
            tempfile.mkdtemp(prefix=f"{_NAME}{os.getpid()}-", dir=_folder_for_files())
        )
        self._data = self.folder / "data"
        self._under = under
        self._as_user = [shutil.which("setpriv") or "setpriv", "--pdeathsig=QUIT"]
        if os.geteuid() == 0:  # which initdb refuses
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            ids = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
            self._as_user.extend(ids)
        self._settings = {**_SETTINGS, "unix_socket_directories": str(self.folder), **settings}
        self._run("initdb", "-D", self._data, "-U", _USER, "-A", "trust", "-E", "UTF8",
                  "--no-locale", "--no-sync", "--no-instructions")  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def url(self, name: str, user: str = _USER) -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://{user}@/{name}?host={self.folder}"

    @property
    def pid(self) -> int:
        """The first process, whose children the others are."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._under, *self._as_user, self._binaries / "postgres", "-D", self._data,
                 *settings],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                start_new_session=True,  # Ctrl-C is for the tests
            )  # fmt: skip
        apart(self._answering())

    def stop(self, *, crash: bool = False) -> None:
        """End it: at once as a crash does, or orderly, breaking off what is under way."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(3 if crash else 2)
            process.wait(60)

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Have it stand still, with all that it was asked: nothing is answered, nothing closed."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        # It goes first and comes back last, so that it begins nothing else meanwhile.
        processes = [self.pid, *map(int, children)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in reversed(processes):
                os.kill(process, signal.SIGCONT)

    def remove(self) -> None:
        """End it for good."""
        self.stop(crash=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run_sql(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Run statements, each by itself; return the rows of the last one."""
        return apart(self._run_sql(statements, database))

    async def _run_sql(self, statements: tuple[str, ...], database: str) -> list[Any]:
        connection = await asyncpg.connect(self.url(database))
        try:
            rows: list[Any] = []
            for sql in statements:
                rows = [tuple(row) for row in await connection.fetch(sql)]
            return rows
        finally:
            await connection.close()

    async def _answering(self) -> None:
        assert self._process is not None
        async with asyncio.timeout(_START_SECONDS):
            while True:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                with contextlib.suppress(OSError, asyncpg.PostgresError):
                    await (await asyncpg.connect(self.url("postgres"))).close()
                    return
                await asyncio.sleep(0.02)

    def _run(self, program: str, *words: str | Path) -> None:
        command = [*self._as_user, self._binaries / program, *words]
        ended = subprocess.run(command, check=False, capture_output=True, cwd="/", timeout=60)
        assert ended.returncode == 0, ended.stderr.decode()


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
