"""Runs units of work on SQLite's one writing connection, alone or among those of others.

A unit is a coroutine, and its transaction never makes it wait: it is run to its end in one go,
without an event loop, so that a unit costs its statements and nothing else.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import apsw

from smarthost.database.engine import Row, T, Value, Work
from smarthost.database.parameters import numbered
from smarthost.database.sqlite_errors import ENGINE_ERRORS


class Unit:
    """One unit of work on its way: what to run, and who waits for it."""

    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: Work[Any], future: "asyncio.Future[Any]") -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
        """Tell the one who waits."""
        if self.future.done():
            return  # it was cancelled; the change stands all the same
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class RaisedError(Exception):
    """A unit of work has raised, and its changes stand among those of others."""


class _Transaction:
    """The connection, as a unit of work sees it: its coroutines never really wait."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        return self._connection.execute(numbered(sql), values).fetchall()

    async def fetch_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[Row]:
        return self._connection.executemany(numbered(sql), rows).fetchall()

    async def execute(self, sql: str, *values: Value) -> int:
        before = self._connection.total_changes()
        self._connection.execute(numbered(sql), values or None)
        # The total has the rows that a foreign key removed along with these; `changes` has not,
        # but keeps the number of an earlier statement when this one changed none.
        return self._connection.changes() if self._connection.total_changes() > before else 0

    async def lock(self, subject: str) -> None:
        """Do nothing: SQLite has one writer, in all processes together."""


class Runner:
    """Runs units on a connection that is in a transaction."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._transaction = _Transaction(connection)

    def run(self, unit: Unit) -> None:
        """Run one among others. Raises `RaisedError` if it does, and what SQLite says."""
        unit.error = None
        try:
            unit.result = _complete(unit.work, self._transaction)
        except ENGINE_ERRORS:
            raise
        except BaseException as error:
            raise RaisedError from error

    def run_apart(self, unit: Unit) -> None:
        """Run one that takes back itself alone if it raises. Raises what SQLite says."""
        unit.error = None
        self._connection.execute("SAVEPOINT unit")
        try:
            unit.result = _complete(unit.work, self._transaction)
        except ENGINE_ERRORS:
            raise  # SQLite may have ended the whole transaction by itself
        except BaseException as error:  # noqa: BLE001 - it belongs to the one who waits
            unit.error = error
            self._connection.execute("ROLLBACK TO unit")
        self._connection.execute("RELEASE unit")


def _complete(work: Work[T], transaction: _Transaction) -> T:
    """Run a coroutine that never waits to its end, without an event loop."""
    coroutine = work(transaction).__await__()
    try:
        next(coroutine)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()  # now, lest its `finally` change rows in somebody else's transaction
    raise TypeError("a unit of work awaits nothing but its transaction")
