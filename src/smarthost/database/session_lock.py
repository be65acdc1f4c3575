"""A lock that one session of a PostgreSQL server holds, however many machines ask for it.

It ends with its connection, so that nobody waits for a process that is gone; and the server ends
the session of one that hangs. It is for work during which no transaction may be open, since a
network is waited for.
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from smarthost.clock import Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_connections import Connection
from smarthost.database.postgresql_errors import DRIVER_ERRORS

LONGEST_SECONDS = 60
"""Whoever has had a lock for this long loses it."""

_LOOK_SECONDS = 0.1
_CLOSE_SECONDS = 4.0
# Advisory locks are the database's, and others may use them there too: these are ours.
_TAKE = "SELECT pg_try_advisory_lock(hashtextextended($1, 7251))"


class LockedError(Exception):
    """Somebody else kept the lock for as long as was waited."""


@asynccontextmanager
async def session_lock(
    database: PostgresqlDatabase,
    name: str,
    clock: Clock,
    *,
    wait_seconds: float,
    longest_seconds: float = LONGEST_SECONDS,
) -> AsyncIterator[None]:
    """Hold the lock of `name`, once nobody else does.

    Raises `LockedError` and `StoreUnavailableError`.
    """
    connection = await database.connect()
    try:
        until = clock.monotonic() + wait_seconds
        try:
            await connection.execute(f"SET idle_session_timeout = {round(longest_seconds * 1000)}")
            await _take(connection, name, clock, until)
        except DRIVER_ERRORS as error:
            raise StoreUnavailableError(f"The lock of {name} is out of reach.") from error
        yield
    finally:
        with contextlib.suppress(*DRIVER_ERRORS):
            await connection.close(timeout=_CLOSE_SECONDS)


async def _take(connection: Connection, name: str, clock: Clock, until: float) -> None:
    while not (await connection.fetch(_TAKE, name))[0][0]:
        if clock.monotonic() >= until:
            raise LockedError(name)
        await clock.sleep(_LOOK_SECONDS)
