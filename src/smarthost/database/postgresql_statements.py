"""Statements on a connection to PostgreSQL, each by itself or in a unit's transaction.

The driver's errors leave here as ours, and a server that does not answer is found out.
"""

from collections.abc import Sequence

from smarthost.database.engine import Row, Value
from smarthost.database.postgresql_connection import Connection
from smarthost.database.postgresql_connections import Connections
from smarthost.database.postgresql_errors import DRIVER_ERRORS, told

# Advisory locks are the database's, and others may use them there too: these are ours.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7250))"
# As digits, the subject needs no quoting in a script, which has no values.
_BEGIN_LOCKED = """
BEGIN; SELECT pg_advisory_xact_lock(
    hashtextextended(convert_from(decode('{digits}', 'hex'), 'UTF8'), 7250))"""
_BEGIN = "BEGIN"

_NUL, _NO_NUL = "\0", "\ufffd"


class Statements:
    """A connection, on which each statement is a transaction by itself unless one was begun."""

    def __init__(
        self, connection: Connection, connections: Connections, patience: float | None
    ) -> None:
        """`patience` is how many seconds a statement may take; None for the usual ones."""
        self._connection = connection
        self._name = connections.name
        self._pulse = connections.pulse
        self._patience = patience

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        """Run one statement and return its rows. Raises as `postgresql_errors` says."""
        try:
            with self._pulse.watching(self._connection):
                rows = await self._connection.fetch(
                    sql, *map(storable, values), timeout=self._patience
                )
        except DRIVER_ERRORS as error:
            raise self._told(error) from error
        return [tuple(row) for row in rows]

    async def fetch_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[Row]:
        """Run one statement for each of `rows` at once, and return what all of them give."""
        if len(rows) == 1:
            return await self.fetch(sql, *rows[0])
        values = [tuple(map(storable, row)) for row in rows]
        try:
            with self._pulse.watching(self._connection):
                found = await self._connection.fetchmany(sql, values, timeout=self._patience)
            return [tuple(row) for row in found]
        except DRIVER_ERRORS as error:
            raise self._told(error) from error

    async def execute(self, sql: str, *values: Value) -> int:
        """Run one statement, or a script without values; return how many rows it has changed."""
        try:
            with self._pulse.watching(self._connection):
                status = await self._connection.execute(
                    sql, *map(storable, values), timeout=self._patience
                )
        except DRIVER_ERRORS as error:
            raise self._told(error) from error
        return _changed(status)

    def _told(self, error: Exception) -> Exception:
        if isinstance(error, TimeoutError):
            self._connection.terminate()
        return told(self._name, error)


class UnitTransaction(Statements):
    """A connection, as a unit of work sees it: it begins with the first thing that is asked.

    Most begin with a lock, which then is the same way to the server and back.
    """

    begun = False
    """Whether there is a transaction to be ended."""

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        """As of any statement, in the transaction."""
        await self._begin(_BEGIN)
        return await super().fetch(sql, *values)

    async def fetch_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[Row]:
        """As of any statement, in the transaction."""
        await self._begin(_BEGIN)
        return await super().fetch_each(sql, rows)

    async def execute(self, sql: str, *values: Value) -> int:
        """As of any statement, in the transaction."""
        await self._begin(_BEGIN)
        return await super().execute(sql, *values)

    async def lock(self, subject: str) -> None:
        """Wait until nobody else has this lock; it ends with the transaction."""
        if self.begun:
            await super().fetch(_LOCK, subject)
        else:
            digits = subject.replace(_NUL, _NO_NUL).encode().hex()
            await self._begin(_BEGIN_LOCKED.format(digits=digits))

    async def _begin(self, script: str) -> None:
        if self.begun:
            return
        self.begun = True
        try:
            with self._pulse.watching(self._connection):
                await self._connection.execute(script)
        except DRIVER_ERRORS as error:
            raise self._told(error) from error


def storable(value: Value) -> Value:
    """Return a value as PostgreSQL keeps it: its text has no character NUL."""
    if isinstance(value, str) and _NUL in value:
        return value.replace(_NUL, _NO_NUL)
    return value


def _changed(status: str | None) -> int:
    """Read the number of rows from the tag of a command, 0 where it changes none."""
    command, _, rest = (status or "").partition(" ")
    if command not in ("INSERT", "UPDATE", "DELETE"):
        return 0
    return int(rest.rpartition(" ")[2])
