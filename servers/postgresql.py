"""A PostgreSQL of one's own, from Debian's binaries: what tests and benchmarks start.

It listens on a socket in its folder and nowhere else, and belongs to a user without rights, since
initdb refuses root. It is told by the kernel when the process that has started it ends, however
that does.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
import threading
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")

USER = "smarthost"
"""The database's superuser, who needs no password."""

_BINARIES = Path("/usr/lib/postgresql")
_START_SECONDS = 30.0


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


class Server:
    """Runs from its making to `stop`."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        under: Sequence[str] = (),
        *,
        standby_of: "Server | None" = None,
    ) -> None:
        """Make its files in `folder`, which is there, empty and its own, and start it.

        `settings` are as in postgresql.conf; what they leave out is as PostgreSQL has it. `under`
        is a command that starts it. A standby streams what another one writes.
        """
        binaries = find_binaries()
        assert binaries is not None, "PostgreSQL is not installed"
        self.folder = folder
        self._binaries = binaries
        self._data = folder / "data"
        self._under = under
        self._as_user = [shutil.which("setpriv") or "setpriv", "--pdeathsig=QUIT"]
        if os.geteuid() == 0:  # which initdb refuses
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            ids = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
            self._as_user.extend(ids)
        private = {"listen_addresses": "", "unix_socket_directories": str(folder)}
        self._settings = {**private, **settings}
        if standby_of is None:
            self._run("initdb", "-D", self._data, "-U", USER, "-A", "trust", "-E", "UTF8",
                      "--no-locale", "--no-sync", "--no-instructions")  # fmt: skip
        else:
            self._run("pg_basebackup", "-D", self._data, "-d", standby_of.url("postgres"),
                      "--write-recovery-conf", "--checkpoint=fast", "--no-sync")  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        """All of its processes descend from this one."""
        assert self._process is not None
        return self._process.pid

    def url(self, name: str, user: str = USER) -> str:
        """Return the URL of one of its databases."""
        port = self._settings.get("port", "5432")
        return f"postgresql://{user}@/{name}?host={self.folder}&port={port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = [f"-c{name}={value}" for name, value in self._settings.items()]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._under, *self._as_user, self._binaries / "postgres", "-D", self._data,
                 *settings],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                start_new_session=True,  # Ctrl-C is for the one who has started it
            )  # fmt: skip
        apart(self._answering())

    def stop(self, *, crash: bool = False) -> None:
        """End it: at once as a crash does, or orderly, breaking off what is under way."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(3 if crash else 2)
            process.wait(60)

    def promote(self) -> None:
        """Have a standby take over; return when it takes changes."""
        self._run("pg_ctl", "promote", "-D", self._data, "-w")

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
