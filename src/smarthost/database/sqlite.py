"""The store in one file: SQLite in WAL mode with `synchronous=FULL`, through apsw.

Reads run on a connection of their own; every change goes through the one writer of
`group_commit.py`. The statements' `$n` are named parameters to SQLite, numbered by first
appearance, so they are rewritten to `?n`.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import apsw

from smarthost.database.engine import Row, StoreUnavailableError, T, Transaction, Value, Work
from smarthost.database.filesystem import network_filesystem_of
from smarthost.database.group_commit import GroupCommit, Measured
from smarthost.database.parameters import numbered
from smarthost.database.room import Room
from smarthost.database.sqlite_errors import ENVIRONMENT_ERRORS, unavailable

BUSY_SECONDS = 10
"""How long a statement waits for another process that is writing, unless told otherwise."""

# Each of the two connections keeps as many pages: enough for the upper levels of the indexes of
# 100,000 portals, whose leaves the system's own cache has.
_CACHE_KIB = 8 * 1024

_WAL_PAUSE_SECONDS = 0.01

# The WAL of older versions can lose commits: https://sqlite.org/wal.html#walresetbug
_OLDEST_SQLITE = (3, 51, 3)


class SqliteDatabase:
    """One SQLite file, opened by this process and perhaps by others on this machine."""

    dialect: Literal["sqlite", "postgresql"] = "sqlite"
    in_order = True

    def __init__(
        self,
        path: Path,
        busy_seconds: float = BUSY_SECONDS,
        measured: Measured = contextlib.nullcontext,
    ) -> None:
        """Open `path`, creating it with mode 0600 when it is missing.

        `busy_seconds` is how long a statement waits for another process that is writing.
        `measured` gives what is entered for the time of each commit.
        Raises `StoreUnavailableError` when the folder is missing or not writable, when it lies on
        a network file system, or when the file is no database.
        """
        _check_version(apsw.sqlite_lib_version())
        self._path = path
        self._room = Room(path)
        with _translated(path):
            _check_filesystem(path)
            _create(path)
            writer, self._reader = _connect(path, busy_seconds), _connect(path, busy_seconds)
            self._reader.pragma("query_only", True)
        self._in_turn = False
        self._writer = GroupCommit(writer, partial(unavailable, path), busy_seconds, measured)

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        """Run one read on the loop's connection.

        All reads of one turn of the event loop see one state: each read transaction costs two
        locks, which took a sixth of a small request's time. Whatever waits for a commit, or for
        a request that another process's answer made possible, runs in a later turn. All rows
        are fetched at once, so that no open cursor keeps the state longer.
        """
        try:
            if not self._in_turn:
                self._begin_turn()
            return self._reader.execute(numbered(sql), values).fetchall()
        except ENVIRONMENT_ERRORS as error:
            raise unavailable(self._path, error) from error

    def _begin_turn(self) -> None:
        self._reader.execute("BEGIN")
        self._in_turn = True
        # Callbacks run in the order of their making: this one comes before any that is made
        # by what happens from now on.
        asyncio.get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        if self._in_turn:
            self._in_turn = False
            with contextlib.suppress(apsw.Error):  # a read has no more to lose
                self._reader.execute("ROLLBACK")

    async def execute(self, sql: str, *values: Value) -> int:
        """Run one statement; return when its commit is on the disk."""

        async def work(tx: Transaction) -> int:
            return await tx.execute(sql, *values)

        return await self._writer.submit(work)

    async def note(self, sql: str, *values: Value) -> None:
        """Run one statement; there is neither a standby here nor a second writer."""
        await self.execute(sql, *values)

    async def transact(self, work: Work[T]) -> T:
        """Run `work`; return when its commit is on the disk."""
        return await self._writer.submit(work)

    async def transact_long(self, work: Work[T]) -> T:
        """Run `work` in the writer's thread, while this one goes on."""
        return await self._writer.submit_long(work)

    def check_room(self, octets: int) -> None:
        """Return if that many more octets leave the reserve of `room.py` untouched."""
        with _translated(self._path):
            self._room.take(octets)

    async def find_damage(self) -> str | None:
        """Read every page of the file; return the first thing that is wrong in it."""
        told = str((await self.fetch("PRAGMA quick_check(1)"))[0][0])
        return None if told == "ok" else told

    async def wait_failed(self) -> None:
        """Return after a failed fsync: the file must be read anew by a new process."""
        await self._writer.wait_failed()

    async def close(self) -> None:
        """Finish what was begun and close both connections."""
        await self._writer.close()
        self._end_turn()
        self._reader.close()


def leave_memory_uncounted() -> None:
    """Have SQLite count none of its memory: it takes a lock for that at each allocation.

    It holds for the whole process, which must have no connection yet.
    """
    apsw.shutdown()
    apsw.config(apsw.SQLITE_CONFIG_MEMSTATUS, False)
    apsw.initialize()


def _connect(path: Path, busy_seconds: float) -> apsw.Connection:
    # No connection here is ever used by two threads at once: the loop waits for the commit's.
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(round(busy_seconds * 1000))
    _enter_wal(connection, busy_seconds)
    connection.pragma("synchronous", "full")
    connection.pragma("cache_size", -_CACHE_KIB)
    # What a savepoint may have to take back goes to memory, not to a file in /var/tmp: with a
    # read-only root there may be no folder for it, and a large unit of work would fail.
    connection.pragma("temp_store", 2)
    connection.pragma("foreign_keys", True)
    connection.pragma("trusted_schema", False)
    # Without this, SQLite plans a statement anew whenever other values are bound to it: a join
    # by its keys then takes 16 microseconds instead of 4.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return connection


def _enter_wal(connection: apsw.Connection, busy_seconds: float) -> None:
    """Switch the file to its WAL, once and for all processes.

    SQLite does not wait for a second one that does so at the same moment, since both would wait
    for each other.
    """
    give_up_at = time.monotonic() + busy_seconds
    while True:
        try:
            connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(_WAL_PAUSE_SECONDS)
        else:
            return


def _create(path: Path) -> None:
    """Make the file ours alone before SQLite does; its -wal and -shm take over the mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _check_version(version: str) -> None:
    if tuple(map(int, version.split("."))) < _OLDEST_SQLITE:
        needed = ".".join(map(str, _OLDEST_SQLITE))
        raise StoreUnavailableError(
            f"SQLite {version} can lose commits; Smarthost needs {needed} or newer. "
            "Install the apsw package from its wheel, which brings its own."
        )


def _check_filesystem(path: Path) -> None:
    kind = network_filesystem_of(path.parent)
    if kind is not None:
        raise StoreUnavailableError(
            f"{path.parent} is on a network file system ({kind}), where SQLite's locks do not "
            "hold. Choose a folder on a local disk with SMARTHOST_DATA_DIR."
        )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except ENVIRONMENT_ERRORS as error:
        raise unavailable(path, error) from error
