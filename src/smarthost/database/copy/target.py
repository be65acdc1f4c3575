"""The server's database that is copied to: one session that writes, counts and reads back.

It holds a lock while it is there. A run that was killed may have left a session that is still
committing; the next one waits for its end, and counts what is there only then.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from smarthost.database.copy.model import SourceNotReadyError, TargetTakenError
from smarthost.database.copy.tables import Table, quoted
from smarthost.database.engine import Row, Value
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_candidate import ASK_SECONDS
from smarthost.database.postgresql_connection import Connection
from smarthost.database.postgresql_errors import DRIVER_ERRORS, told

_LOCK = "SELECT pg_advisory_lock(hashtextextended('copy', 7250))"
# A count of a hundred million rows takes its time, and so does a batch of large bodies.
_PATIENT = "SET statement_timeout = 0; SET lock_timeout = '2s'"
_PATIENCE_SECONDS = 3600.0
# The order of the key is that of its index; a sort would need as much room as the table.
_IN_INDEX_ORDER = (
    "BEGIN READ ONLY",
    "SET LOCAL enable_sort = off",
    "SET LOCAL enable_incremental_sort = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)
_ROWS_AT_ONCE = 250
_SET_NEXT = "SELECT setval(pg_get_serial_sequence($1, $2), max({column})) FROM {table}"


class Target:
    """A session that is ours alone."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    async def count(self, table: Table) -> int:
        """Return how many rows there are. Raises `StoreUnavailableError`."""
        rows = await self._fetch(f"SELECT count(*) FROM {quoted([table.name])}")
        return int(str(rows[0][0]))

    async def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows; all of them are on the server's disk, or none.

        Raises `SourceNotReadyError` where the server takes one for impossible, and as `count`.
        """
        try:
            await self._connection.copy_records_to_table(
                table.name, records=rows, columns=table.columns, timeout=_PATIENCE_SECONDS
            )
        except asyncpg.IntegrityConstraintViolationError as error:
            broken = getattr(error, "constraint_name", None)
            raise SourceNotReadyError(
                f"A row of the table {table.name} breaks a rule of that table ({broken}): it was "
                "changed by hand. Mend the file and type the same again."
            ) from error
        except DRIVER_ERRORS as error:
            raise told(self._name, error) from error

    async def batches(self, table: Table) -> AsyncIterator[list[Row]]:
        """Give all rows in the order of the key, with octets hashed. Raises as `count` does."""
        columns = (
            f"sha256({quoted([column])})" if column in table.octets else quoted([column])
            for column in table.columns
        )
        sql = (
            f"SELECT {', '.join(columns)} FROM {quoted([table.name])} ORDER BY {quoted(table.key)}"
        )
        batch: list[Row] = []
        try:
            for line in _IN_INDEX_ORDER:
                await self._connection.execute(line)
            async for row in self._connection.cursor(
                sql, prefetch=_ROWS_AT_ONCE, timeout=_PATIENCE_SECONDS
            ):
                batch.append(tuple(row))
                if len(batch) >= _ROWS_AT_ONCE:
                    yield batch
                    batch = []
            await self._connection.execute("ROLLBACK")
        except DRIVER_ERRORS as error:
            raise told(self._name, error) from error
        if batch:
            yield batch

    async def settle(self, tables: Sequence[Table]) -> None:
        """Let numbers go on behind the last ones, and the planner know what is there."""
        for table in tables:
            if table.number is not None:
                column, name = quoted([table.number]), quoted([table.name])
                sql = _SET_NEXT.format(column=column, table=name)
                await self._fetch(sql, table.name, table.number)
        await self._fetch(f"ANALYZE {quoted(table.name for table in tables)}")

    async def _fetch(self, sql: str, *values: Value) -> Sequence[Row]:
        try:
            return await self._connection.fetch(sql, *values, timeout=_PATIENCE_SECONDS)
        except DRIVER_ERRORS as error:
            raise told(self._name, error) from error


@asynccontextmanager
async def opened_target(database: PostgresqlDatabase) -> AsyncIterator[Target]:
    """Connect, and keep other copies out. Raises `TargetTakenError`, `StoreUnavailableError`."""
    connection = await database.connect()
    try:
        try:
            await connection.execute(_PATIENT)
            await connection.fetch(_LOCK)
        except asyncpg.LockNotAvailableError as error:
            raise TargetTakenError(f"{database.name} is being copied to already.") from error
        except DRIVER_ERRORS as error:
            raise told(database.name, error) from error
        yield Target(connection, database.name)
    except BaseException:
        connection.terminate()  # it may stand in the middle of something
        raise
    with contextlib.suppress(*DRIVER_ERRORS):
        await connection.close(timeout=ASK_SECONDS)
