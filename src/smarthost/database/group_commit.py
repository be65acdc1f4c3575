"""One writer thread whose commits are shared.

A durable commit costs one fsync however many changes are in it, so the changes that wait while
the disk works go into the next commit together. Each has a savepoint of its own: what one raises
takes back that one alone. Only when the commit itself fails is each tried again by itself.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any

import apsw

from smarthost.database.engine import Row, StoreUnavailableError, T, Value, Work
from smarthost.database.parameters import numbered
from smarthost.database.sqlite_errors import ENVIRONMENT_ERRORS

MOST_TOGETHER = 256
"""How many units of work share a commit at the most."""

Translate = Callable[[Exception], StoreUnavailableError]


class _Unit:
    """One unit of work on its way: what to run, and who waits for it."""

    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: Work[Any], future: "asyncio.Future[Any]") -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
        """Tell the one who waits; runs on the event loop."""
        if self.future.done():
            return  # it was cancelled; the change stands all the same
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class _Transaction:
    """The connection, as a unit of work sees it: its coroutines never really wait."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._sql: dict[str, str] = {}

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        return self._connection.execute(self._numbered(sql), values).fetchall()

    async def execute(self, sql: str, *values: Value) -> int:
        before = self._connection.total_changes()
        self._connection.execute(self._numbered(sql), values or None)
        return self._connection.total_changes() - before

    def _numbered(self, sql: str) -> str:
        known = self._sql.get(sql)
        if known is None:
            known = self._sql[sql] = numbered(sql)
        return known


class GroupCommit:
    """The only writer of this process. Owns its connection and its thread."""

    def __init__(self, connection: apsw.Connection, translate: Translate) -> None:
        self._connection = connection
        self._translate = translate
        self._transaction = _Transaction(connection)
        self._units: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failed = asyncio.Event()
        self._broken: apsw.IOError | None = None
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def submit(self, work: Work[T]) -> T:
        """Run `work`, commit, and return its result when the commit is on the disk."""
        self._loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = self._loop.create_future()
        self._units.put(_Unit(work, future))
        return await future

    async def wait_failed(self) -> None:
        """Return once a commit has failed in a way that a new attempt must not hide."""
        await self._failed.wait()

    def close(self) -> None:
        """Finish all that was submitted and close the connection."""
        self._units.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while (first := self._units.get()) is not None:
            together, last = [first], False
            with contextlib.suppress(queue.Empty):
                while len(together) < MOST_TOGETHER:
                    unit = self._units.get_nowait()
                    if unit is None:
                        last = True
                        break
                    together.append(unit)
            self._perform(together)
            if last:
                return

    def _perform(self, units: list[_Unit]) -> None:
        if not self._commit(units) and len(units) > 1:
            for unit in units:
                self._commit([unit])
        self._tell(lambda: _resolve(units))

    def _commit(self, units: list[_Unit]) -> bool:
        """Run all in one transaction; False, with the error on each unit, if that was lost."""
        try:
            if self._broken is not None:
                raise self._broken
            self._execute("BEGIN IMMEDIATE")
            for unit in units:
                self._step(unit)
            self._execute("COMMIT")
        except ENVIRONMENT_ERRORS as error:
            self._lost(units, error)
            return False
        return True

    def _step(self, unit: _Unit) -> None:
        unit.error = None
        self._execute("SAVEPOINT unit")
        try:
            unit.result = _complete(unit.work, self._transaction)
        except ENVIRONMENT_ERRORS:
            raise  # SQLite may have ended the whole transaction by itself
        except Exception as error:  # noqa: BLE001 - it belongs to the one who waits
            unit.error = error
            self._execute("ROLLBACK TO unit")
        self._execute("RELEASE unit")

    def _lost(self, units: list[_Unit], error: Exception) -> None:
        with contextlib.suppress(apsw.Error):
            if not self._connection.getautocommit():
                self._execute("ROLLBACK")
        for unit in units:
            unit.error = self._translate(error)
        if isinstance(error, apsw.IOError):
            # After a failed fsync the kernel may drop the pages and call the next one good:
            # only a process that reads the file anew knows what is in it.
            self._broken = error
            self._tell(self._failed.set)

    def _tell(self, callback: Callable[[], object]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended; nobody waits
                self._loop.call_soon_threadsafe(callback)

    def _execute(self, sql: str) -> None:
        self._connection.execute(sql)


def _resolve(units: list[_Unit]) -> None:
    for unit in units:
        unit.resolve()


def _complete(work: Work[T], transaction: _Transaction) -> T:
    """Run a coroutine that never waits to its end, without an event loop."""
    coroutine = work(transaction).__await__()
    try:
        next(coroutine)
    except StopIteration as done:
        result: T = done.value
        return result
    raise TypeError("a unit of work awaits nothing but its transaction")
