"""What a PostgreSQL server says of itself, when it is asked whether it takes changes.

It is asked with every connection, since it may have become a standby, or be another one.
"""

from typing import NamedTuple

import asyncpg

from smarthost.database.postgresql_connection import Connection

ASK_SECONDS = 5.0
"""How long one server may take for an answer."""

_STANDING = """
SELECT CAST(current_setting('server_version_num') AS INTEGER) / 10000, current_setting('fsync'),
       current_setting('synchronous_commit'), pg_is_in_recovery(),
       current_setting('transaction_read_only') = 'on', current_setting('server_encoding')"""
# Every user may ask for both, unless somebody has taken the right away; a few services that speak
# PostgreSQL's protocol have no such log.
_HISTORY = """
SELECT system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8)
FROM pg_control_system()"""

# It may not, has none, or cannot; any other fault is a moment's, and would have a failover seen.
_DOES_NOT_TELL = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedFunctionError,
    asyncpg.FeatureNotSupportedError,
)


class Standing(NamedTuple):
    """What a server says of itself."""

    version: int
    fsync: str
    synchronous_commit: str
    is_standby: bool
    is_read_only: bool
    encoding: str


class History(NamedTuple):
    """Whose changes a server has."""

    system: int
    """The same for a server and all that were copied from it."""
    timeline: int
    """Goes up whenever one of them takes over."""


class UnfitError(Exception):
    """A server that answers and is not to be used; the message goes on behind its name."""


class StandbyError(UnfitError):
    """A server that copies another one."""


async def introduced(connection: Connection) -> tuple[Standing, History | None]:
    """Ask it; no history: it does not tell. Raises `DRIVER_ERRORS`, `UnfitError`."""
    rows = await connection.fetch(_STANDING, timeout=ASK_SECONDS)
    standing = Standing(*rows[0])  # type: ignore[arg-type]
    _refuse_unless_it_takes_changes(standing)
    return standing, await _history_of(connection)


def _refuse_unless_it_takes_changes(standing: Standing) -> None:
    if standing.is_standby:
        raise StandbyError("is a standby.")
    if standing.is_read_only:
        raise UnfitError("takes no changes: default_transaction_read_only is on there.")


async def _history_of(connection: Connection) -> History | None:
    try:
        rows = await connection.fetch(_HISTORY, timeout=ASK_SECONDS)
    except _DOES_NOT_TELL:
        return None
    system, timeline = rows[0]
    return History(int(str(system)), int(str(timeline), 16))
