"""The SQLite file that is copied, while nobody else has it open.

SQLite's own lock says so: in its exclusive mode a connection is had only where no other process
has one, however idle, and keeps all others out for as long as it is open. So nothing is written
that the copy would miss, and not before the file has been closed.
"""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from smarthost.database.copy.model import SourceInUseError, SourceNotReadyError
from smarthost.database.copy.tables import Table, quoted, tables_of
from smarthost.database.engine import Row, Value
from smarthost.database.migrate import HAS_LEDGER, VERSION, migrations
from smarthost.database.postgresql_statements import storable
from smarthost.database.sqlite_errors import ENVIRONMENT_ERRORS, unavailable

_MOST_OCTETS = 4 * 1024 * 1024
"""Of the rows that are read at once, but for the last one of them."""

# For a command that is just ending; a service stays for longer than anybody waits.
_BUSY_MILLISECONDS = 1_000
_BACKUP_MARK = "backup_mark"
# When its tables were first made, to the microsecond: no two stores have that in common.
_BIRTH = "SELECT min(applied_at) FROM schema_migrations"


class Source:
    """An open file, and the only one who has it open."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self._path = path
        self._connection = connection
        self.tables = tables_of(connection)
        self.birth = str(self._number(_BIRTH))
        written = path.stat()
        self.stamp = f"{written.st_size}.{written.st_mtime_ns}"
        """Differs once anything was written."""

    def count(self, table: Table) -> int:
        """Return how many rows there are."""
        return self._number(f"SELECT count(*) FROM {quoted([table.name])}")

    def batches(self, table: Table, skip: int, most: int) -> Iterator[list[Row]]:
        """Give all rows behind the first `skip`, in the order of the key, at most `most` at once.

        Raises `StoreUnavailableError`.
        """
        sql = (
            f"SELECT {quoted(table.columns)} FROM {quoted([table.name])} "
            f"ORDER BY {quoted(table.key)} LIMIT -1 OFFSET ?"
        )
        batch: list[Row] = []
        octets = 0
        with _translated(self._path):
            for row in self._connection.execute(sql, (skip,)):
                batch.append(tuple(map(storable, row)))
                octets += sum(map(_length, row))
                if len(batch) >= most or octets >= _MOST_OCTETS:
                    yield batch
                    batch, octets = [], 0
        if batch:
            yield batch

    def _number(self, sql: str) -> int:
        with _translated(self._path):
            return int(str(self._connection.execute(sql).fetchall()[0][0]))


@contextmanager
def opened_source(path: Path) -> Iterator[Source]:
    """Open the file for this process alone, and look whether it can be copied.

    Raises `SourceInUseError`, `SourceNotReadyError`, `StoreUnavailableError`.
    """
    with _translated(path):
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    with contextlib.closing(connection):
        with _translated(path):
            _take(connection, path)
            _refuse_unless_ready(connection, path)
            # What is still in the log goes into the file, so that the file's time tells of it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            source = Source(path, connection)
        yield source


def _take(connection: apsw.Connection, path: Path) -> None:
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    connection.pragma("trusted_schema", False)
    connection.pragma("locking_mode", "exclusive")
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except apsw.BusyError as error:
        raise SourceInUseError(
            f"{path} is open in another process, the service or a command. Stop it first."
        ) from error
    connection.execute("COMMIT")  # the lock stays
    connection.pragma("query_only", True)


def _refuse_unless_ready(connection: apsw.Connection, path: Path) -> None:
    if not connection.execute(HAS_LEDGER["sqlite"]).fetchall():
        raise SourceNotReadyError(f"{path} has no tables of Smarthost in it.")
    version = int(str(connection.execute(VERSION).fetchall()[0][0]))
    known = migrations("sqlite")[-1].version
    if version < known:
        raise SourceNotReadyError(
            f"{path} has schema version {version}; this program copies {known}. "
            "Type first: smarthost database upgrade"
        )
    if version > known:
        raise SourceNotReadyError(
            f"{path} has schema version {version}; this program copies {known}. Use the newer "
            "Smarthost that made it."
        )
    if _BACKUP_MARK in {table.name for table in tables_of(connection)}:
        raise SourceNotReadyError(
            f"{path} comes out of a back-up that nothing has opened yet. Type first, so that the "
            "mail that waited then is held: smarthost queue"
        )


def _length(value: Value) -> int:
    return len(value) if isinstance(value, str | bytes) else 0


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except ENVIRONMENT_ERRORS as error:
        raise unavailable(path, error) from error
