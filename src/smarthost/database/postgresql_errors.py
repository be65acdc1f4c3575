"""PostgreSQL's errors, sorted: lost to another transaction, the server's doing, or our mistake.

What the server or the way to it does becomes `StoreUnavailableError` with words for the operator.
Anything else, a constraint say, is a fault of ours and stays as it is. The states are those of
PostgreSQL's appendix on error codes, the first two characters being their class.
"""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import asyncpg

from smarthost.database.engine import StoreBusyError, StoreFullError, StoreUnavailableError
from smarthost.database.postgresql_hosts import hosts_of, names_of
from smarthost.secret import Secret

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # `TimeoutError` and what TLS refuses among them
)
"""What the driver raises of the server, of the way to it, and of itself."""


class LostError(StoreUnavailableError):
    """The connection is gone, and with it whatever was not committed."""


class AgainError(StoreBusyError):
    """Two units of work stood in each other's way; this one was taken back, to be run again."""


_Kind = type[StoreUnavailableError]


class _Meaning(NamedTuple):
    state: str
    kind: _Kind
    words: str


_AWAY = "has closed the connection. Smarthost connects again by itself."
POOLED_BY_TRANSACTION = (
    "is reached by a pooler that lends a session for one transaction only. Set its pool_mode = "
    "session."
)
# What PgBouncer answers to settings that it does not pass on.
_POOLER = (
    "is reached by something that refuses a session's settings. Of PgBouncer, ask for pool_mode = "
    "session and the ignore_startup_parameters that docs/postgresql.md has."
)
_MEANINGS = (
    # A plan from before another node changed the tables.
    _Meaning("0A000", AgainError, "has new tables since. Try again."),
    _Meaning("40001", AgainError, "has too many changes of the same rows at once. Try again."),
    _Meaning("40P01", AgainError, "has too many changes of the same rows at once. Try again."),
    _Meaning("53100", StoreFullError, "cannot grow: the server's disk is full. Free some space."),
    _Meaning("53300", StoreUnavailableError, "takes no more connections: raise max_connections."),
    _Meaning("53", StoreUnavailableError, "is short of memory or of something else."),
    _Meaning("55P03", StoreBusyError, "is kept locked by another transaction. Try again."),
    _Meaning("57014", StoreUnavailableError, "took too long for a statement, and broke it off."),
    _Meaning("57P03", LostError, "is starting or stopping. Try again soon."),
    _Meaning("57P", LostError, _AWAY),
    _Meaning("57", LostError, _AWAY),
    _Meaning("08P01", StoreUnavailableError, _POOLER),
    _Meaning("08", LostError, _AWAY),
    _Meaning("25P03", LostError, "has ended a transaction that was idle for too long."),
    _Meaning("25006", LostError, "takes no changes: it is read-only, or a standby."),
    _Meaning("26000", StoreUnavailableError, POOLED_BY_TRANSACTION),
    _Meaning("28P01", StoreUnavailableError, "refuses the user's password."),
    _Meaning("28", StoreUnavailableError, "refuses the user: look at its pg_hba.conf."),
    _Meaning("3D000", StoreUnavailableError, "is not there. Type: createdb, with its name."),
    _Meaning("42P05", StoreUnavailableError, POOLED_BY_TRANSACTION),
    _Meaning("42501", StoreUnavailableError, "refuses this: its user has to own the tables."),
    _Meaning("58", StoreUnavailableError, "could not be read or written: its disk has failed."),
    _Meaning("XX001", StoreUnavailableError, "is damaged. Restore it from a back-up."),
    _Meaning("XX002", StoreUnavailableError, "has a damaged index. Type: REINDEX DATABASE."),
)


def name_of(url: Secret) -> str:
    """Return what an operator knows the database by: its name and its hosts, and no more."""
    name = unquote(urlsplit(url.reveal()).path.strip("/"))
    return f"The database {name} on {names_of(hosts_of(url))}"


def told(name: str, error: Exception) -> Exception:
    """Return what is to be raised for one of `DRIVER_ERRORS`: itself, if it is our own fault."""
    if isinstance(error, asyncpg.PostgresError):
        return _of_state(name, error)
    if isinstance(error, TimeoutError):
        return LostError(f"{name} did not answer in time.")
    if isinstance(error, OSError):
        return LostError(f"{name} cannot be reached: {_reason(error)}.")
    if isinstance(error, asyncpg.ClientConfigurationError):
        return StoreUnavailableError(f"{name} cannot be connected to: {error}.")
    if isinstance(error, ValueError):  # a value that is none of its column's
        return error
    return LostError(f"{name} {_AWAY}")


def _of_state(name: str, error: Exception) -> Exception:
    state = str(getattr(error, "sqlstate", None) or "08")
    for meaning in _MEANINGS:
        if state.startswith(meaning.state):
            return meaning.kind(f"{name} {meaning.words}")
    return error


def _reason(error: OSError) -> str:
    # Several addresses that all fail make one text of many; the first line is what counts.
    return (error.strerror or str(error) or type(error).__name__).splitlines()[0].rstrip(".")
