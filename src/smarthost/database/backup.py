"""Copies a database into one new file, whoever is writing to it meanwhile.

`VACUUM INTO` reads one state of the database from beginning to end and keeps no writer waiting,
while SQLite's back-up in steps begins anew whenever another process commits between two of them.
It also leaves out freed pages: what was deleted, mail that was sent say, is in no back-up. A copy
is marked (`backup_mark.py`) and read through once before it gets its name.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from smarthost.database.backup_mark import MAKE_MARK, READ_MARK, SET_MARK
from smarthost.database.draft_file import TargetExistsError, new_file
from smarthost.database.engine import StoreUnavailableError
from smarthost.database.migrate import HAS_LEDGER, VERSION, migrations
from smarthost.database.parameters import numbered
from smarthost.database.room import check_room_for_copy
from smarthost.database.sqlite import BUSY_SECONDS
from smarthost.database.sqlite_errors import ENVIRONMENT_ERRORS, unavailable

_TABLES = """
SELECT name FROM sqlite_schema
WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> 'backup_mark'
ORDER BY name"""
_BESIDE = ("", "-wal", "-shm", "-journal")

# How many of SQLite's instructions pass between two looks at how far it is: a few milliseconds.
_INSTRUCTIONS = 50_000

# Nobody else opens a draft, and on a network's file system SQLite's locks would meet the draft's.
_UNLOCKED = "unix-none"

Show = Callable[[float], None]
"""Takes which part of the copy is written, from 0 to 1."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that is whole and on the disk."""

    path: Path
    octets: int
    taken_at: int
    """Microseconds since 1970, UTC."""
    schema_version: int
    rows: dict[str, int]
    """How many there are in each table of the copy."""


def back_up(database: Path, target: Path, now: int, show: Show) -> Copied:
    """Copy the database, which may be in use, to `target`, which must be new.

    Raises `TargetExistsError` and `StoreUnavailableError`; then there is no `target`.
    """
    with _translated(target), new_file(target) as draft:
        with _opened(database, apsw.SQLITE_OPEN_READWRITE) as source:
            _copy(source, database, draft, show)
        copied = _finish(draft, database, now)
    return msgspec.structs.replace(copied, path=target)


def restore(backup: Path, database: Path, show: Show) -> Copied:
    """Put a back-up in the place of a database that is not there; the back-up stays as it is.

    A plain copy of a database that was not in use will do; it counts as taken when it was last
    written. Raises `TargetExistsError` where anything is left of an earlier database, and
    `StoreUnavailableError` where the back-up is damaged or a newer program's; nothing is changed
    then.
    """
    _refuse_what_is_left(database)
    with _translated(database), new_file(database) as draft:
        with _opened(backup, apsw.SQLITE_OPEN_READONLY) as source:
            written_at = backup.stat().st_mtime_ns // 1_000
            _copy(source, backup, draft, show)
        copied = _finish(draft, backup, written_at)
        _refuse_newer(copied.schema_version, backup)
    return msgspec.structs.replace(copied, path=database)


def _refuse_what_is_left(database: Path) -> None:
    """Raise `TargetExistsError` where a database is, or what SQLite would take for its log."""
    for ending in _BESIDE:
        left = database.with_name(database.name + ending)
        if os.path.lexists(left):
            raise TargetExistsError(
                f"{left} is there and was not touched. Stop the service, move {database.name} and "
                "all whose names begin so out of the folder, and try again."
            )


def _refuse_newer(version: int, backup: Path) -> None:
    known = migrations("sqlite")[-1].version
    if version > known:
        raise StoreUnavailableError(
            f"{backup} has schema version {version}; this program knows up to {known}. Use the "
            "newer Smarthost that made it."
        )


def _copy(source: apsw.Connection, path: Path, draft: Path, show: Show) -> None:
    try:
        octets = _octets(source)
        check_room_for_copy(draft.parent, octets)

        def tell() -> bool:
            show(min(1.0, draft.stat().st_size / octets))
            return False  # True would break it off

        source.set_progress_handler(tell, _INSTRUCTIONS)
        source.execute("VACUUM INTO ?", (f"{draft.absolute().as_uri()}?vfs={_UNLOCKED}",))
    except (apsw.CorruptError, apsw.NotADBError, apsw.BusyError) as error:
        raise unavailable(path, error) from error


def _octets(source: apsw.Connection) -> int:
    """Return how large the copy will be, or somewhat more."""
    pages = _number(source, "PRAGMA page_count") - _number(source, "PRAGMA freelist_count")
    return max(1, pages * _number(source, "PRAGMA page_size"))


def _finish(draft: Path, source: Path, taken_at: int) -> Copied:
    """Mark the copy, read it through, and tell what is in it."""
    with _opened(draft, apsw.SQLITE_OPEN_READWRITE, _UNLOCKED) as copy:
        # A journal would be a file beside the draft; a draft that is cut short is thrown away.
        copy.pragma("journal_mode", "memory")
        if not copy.execute(HAS_LEDGER["sqlite"]).fetchall():
            raise StoreUnavailableError(f"{source} has no tables of Smarthost in it.")
        with copy:
            copy.execute(MAKE_MARK)
            copy.execute(numbered(SET_MARK), (taken_at,))
        told = str(copy.execute("PRAGMA quick_check(1)").fetchall()[0][0])
        if told != "ok":
            raise StoreUnavailableError(f"The copy of {source} is damaged ({told}). Try again.")
        return Copied(
            path=draft,
            octets=draft.stat().st_size,
            taken_at=_number(copy, READ_MARK),
            schema_version=_number(copy, VERSION),
            rows=_rows(copy),
        )


def _rows(copy: apsw.Connection) -> dict[str, int]:
    names = [str(row[0]) for row in copy.execute(_TABLES).fetchall()]
    return {name: _number(copy, f'SELECT count(*) FROM "{name}"') for name in names}


def _number(copy: apsw.Connection, sql: str) -> int:
    return int(str(copy.execute(sql).fetchall()[0][0]))


@contextmanager
def _opened(path: Path, flags: int, vfs: str | None = None) -> Iterator[apsw.Connection]:
    try:
        # With URIs, so that a draft can be named together with how it is locked.
        flags |= apsw.SQLITE_OPEN_URI
        connection = apsw.Connection(str(path.absolute()), flags=flags, vfs=vfs)
    except ENVIRONMENT_ERRORS as error:
        raise unavailable(path, error) from error
    with contextlib.closing(connection):
        connection.set_busy_timeout(BUSY_SECONDS * 1000)
        connection.pragma("trusted_schema", False)
        yield connection


@contextmanager
def _translated(target: Path) -> Iterator[None]:
    try:
        yield
    except ENVIRONMENT_ERRORS as error:
        raise unavailable(target, error) from error
