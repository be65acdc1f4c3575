"""SQLite's errors, sorted: the machine's doing, or our own mistake.

What the machine does (a full disk, a lock, a damaged file) becomes `StoreUnavailableError` with
words for the operator. Anything else, a constraint say, is a fault of ours and stays as it is.
"""

from pathlib import Path

import apsw

from smarthost.database.engine import StoreFullError, StoreUnavailableError

ENGINE_ERRORS = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.ConnectionClosedError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
)
"""What SQLite says of the machine."""

ENVIRONMENT_ERRORS = (*ENGINE_ERRORS, OSError)
"""The same, and what the machine says itself while a file is opened."""

_WHAT_HAPPENED: tuple[tuple[type[Exception], str], ...] = (
    (apsw.FullError, "cannot grow: the disk is full. Free some space; nothing was lost."),
    (apsw.BusyError, "is kept locked by another process. Try again when that has ended."),
    (apsw.LockedError, "is kept locked by another process. Try again when that has ended."),
    (apsw.NotADBError, "is damaged, or is no SQLite database. Restore it from a back-up."),
    (apsw.CorruptError, "is damaged. Restore it from a back-up."),
    (apsw.IOError, "could not be read or written: the disk reports an I/O error."),
    (apsw.ConnectionClosedError, "is closed already: the service is stopping."),
    (apsw.ReadOnlyError, "is not writable. Give the user that runs Smarthost write access."),
)


def unavailable(path: Path, error: Exception) -> StoreUnavailableError:
    """Say for the operator what the machine did to the database at `path`."""
    if isinstance(error, OSError):
        return StoreUnavailableError(f"{path} cannot be opened: {error.strerror}.")
    for kind, words in _WHAT_HAPPENED:
        if isinstance(error, kind):
            failure = StoreFullError if kind is apsw.FullError else StoreUnavailableError
            return failure(f"{path} {words}")
    return StoreUnavailableError(f"{path} cannot be used ({type(error).__name__}).")
