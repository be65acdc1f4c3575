"""What a session on a PostgreSQL server is like, as it arrives there.

Between the two there may be a network, which reads along, and a pooler, which may drop what a
session is set to or hand each transaction to another session of the server. The driver notices
neither.
"""

import contextlib
from typing import NamedTuple, Protocol

import asyncpg

from smarthost.database.engine import Database
from smarthost.database.postgresql_connection import Connection
from smarthost.database.postgresql_connections import NEEDED_SETTINGS
from smarthost.database.postgresql_errors import DRIVER_ERRORS, told

_SESSION = """
SELECT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
       coalesce(host(inet_server_addr()), '')"""
_SETTING = "SELECT current_setting($1)"
# Simple statements: those that were prepared are not found by the next transaction's session.
_WHO = "SELECT set_config('smarthost.who', CAST(pg_backend_pid() AS TEXT), false)"
_IS_STILL = """
DO $$ BEGIN
  IF current_setting('smarthost.who', true) IS DISTINCT FROM CAST(pg_backend_pid() AS TEXT) THEN
    RAISE EXCEPTION 'another session';
  END IF;
END $$"""


class Session(NamedTuple):
    """How this process and the server are connected."""

    encrypted: bool
    address: str
    """The server's own; empty: by a socket of this machine."""


class Connecting(Protocol):
    """What opens connections of the caller's own."""

    @property
    def name(self) -> str:
        """What an operator knows the database by."""
        ...

    async def connect(self) -> Connection:
        """Make one. Raises `StoreUnavailableError`."""
        ...


async def session_of(database: Database) -> Session:
    """Ask the server about this session. Raises `StoreUnavailableError`."""
    return Session(*(await database.fetch(_SESSION))[0])


async def lost_settings(database: Database) -> dict[str, str]:
    """Return what sessions need to be run with and are not, with what is in force instead.

    Raises `StoreUnavailableError`.
    """
    found = {name: (await database.fetch(_SETTING, name))[0][0] for name in NEEDED_SETTINGS}
    return {name: value for name, value in found.items() if value != NEEDED_SETTINGS[name]}


async def is_pooled_by_transaction(database: Connecting) -> bool:
    """Tell whether a connection gets another session of the server for another transaction.

    While one connection is between two transactions another one begins its own: a pooler that
    lends sessions for a transaction gives it the first one's. Raises `StoreUnavailableError`.
    """
    with contextlib.ExitStack() as stack:
        first = await database.connect()
        stack.callback(first.terminate)
        second = await database.connect()
        stack.callback(second.terminate)
        try:
            await first.execute(_WHO)
            await second.execute("BEGIN")
            await first.execute(_IS_STILL)
        except asyncpg.RaiseError:
            return True
        except DRIVER_ERRORS as error:
            raise told(database.name, error) from error
    return False
