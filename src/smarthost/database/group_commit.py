"""Commits that are shared: one fsync for all the changes that wait while the disk works.

A durable commit costs one fsync however many changes are in it, so those that come while one is
under way go into the next together. Where one of them raises, which is rare, all are taken back
and run again, each behind a savepoint of its own, so that it takes back that one alone. Only when
the commit itself fails is each tried again by itself.

Statements run on the event loop and only what waits (for the disk, for another process's lock)
in a thread: a thread for all of it would hand the interpreter's lock to and fro at every
statement, which costs a third of the saves (`docs/decisions/0002-statements-on-the-loop.md`).
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import apsw

from smarthost.database.engine import OutcomeUnknownError, StoreUnavailableError, T, Work
from smarthost.database.sqlite_errors import ENGINE_ERRORS
from smarthost.database.sqlite_units import RaisedError, Runner, Unit

MOST_TOGETHER = 256
"""How many units of work share a commit at the most."""

# How often it is looked whether another process has done, and once that has lasted.
_LOOK_SECONDS = 0.0002
_LOOK_LATER_SECONDS = 0.002
_SOON_SECONDS = 0.02

# Of SQLite's own instructions, some milliseconds' worth.
_INSTRUCTIONS_A_LOOK = 100_000

_UNITS_A_TURN = 16
"""How many run before others on the event loop get their turn."""

# Other I/O errors (no room for the WAL's index, a disk quota) are like a full disk: nothing was
# taken for written, and a later try may succeed.
_FSYNC_FAILED = frozenset({apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC})

Run = Callable[[Unit], None]
Translate = Callable[[Exception], StoreUnavailableError]

Measured = Callable[[], contextlib.AbstractContextManager[object]]
"""Returns what is entered for the time of one commit."""


class GroupCommit:
    """The only writer of this process. Owns its connection."""

    def __init__(
        self,
        connection: apsw.Connection,
        translate: Translate,
        busy_seconds: float,
        measured: Measured,
    ) -> None:
        self._connection = connection
        self._translate = translate
        self._measured = measured
        self._busy_seconds = busy_seconds
        self._runner = Runner(connection)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-commit")
        self._waiting: deque[Unit] = deque()
        self._long: deque[Unit] = deque()
        self._performing: asyncio.Task[None] | None = None
        self._failed = asyncio.Event()
        self._broken: apsw.Error | None = None
        self._closed = False
        connection.set_busy_timeout(0)

    async def submit(self, work: Work[T]) -> T:
        """Run `work`, commit, and return its result when the commit is on the disk."""
        return await self._submit(work, self._waiting)

    async def submit_long(self, work: Work[T]) -> T:
        """Do the same with work that takes long, in the thread; cancelled, it is taken back."""
        return await self._submit(work, self._long)

    async def _submit(self, work: Work[T], line: deque[Unit]) -> T:
        if self._closed:
            raise self._translate(apsw.ConnectionClosedError())
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        line.append(Unit(work, future))
        if self._performing is None:
            self._performing = loop.create_task(self._perform_all())
        return await future

    async def wait_failed(self) -> None:
        """Return once a commit has failed in a way that a new attempt must not hide."""
        await self._failed.wait()

    async def close(self) -> None:
        """Finish all that was submitted and close the connection."""
        self._closed = True
        if self._performing is not None:
            # Awaited itself, it would be cancelled along with this, in the middle of a commit.
            await asyncio.wait([self._performing])
        self._thread.shutdown()
        self._connection.close()

    async def _perform_all(self) -> None:
        while self._waiting or self._long:
            if self._long:
                unit = self._long.popleft()
                await self._perform_long(unit)
                unit.resolve()
                continue
            many = min(len(self._waiting), MOST_TOGETHER)
            units = [self._waiting.popleft() for _ in range(many)]
            await self._perform(units)
            for unit in units:
                unit.resolve()
        self._performing = None

    async def _perform(self, units: list[Unit]) -> None:
        try:
            if not await self._begin(units) or await self._commit(units, self._runner.run):
                return
        except RaisedError as raised:
            if len(units) == 1:
                units[0].error = raised.__cause__
                return
            if not await self._begin(units) or await self._commit(units, self._runner.run_apart):
                return
        if len(units) == 1:
            return
        for position, unit in enumerate(units):
            # No transaction to be had for this one: none for the rest either. Each would wait
            # for the same lock once more.
            if not await self._begin(units[position:]):
                return
            await self._commit([unit], self._runner.run_apart)

    async def _perform_long(self, unit: Unit) -> None:
        """Run one unit while the loop goes on, which hears whether it is still wanted."""
        if not await self._begin([unit]):
            return
        try:
            self._connection.set_progress_handler(unit.future.cancelled, _INSTRUCTIONS_A_LOOK)
            try:
                await self._in_thread(self._runner.run_apart, unit)
            finally:
                self._connection.set_progress_handler(None)
            with self._measured():
                await self._in_thread(self._connection.execute, "COMMIT")
        except apsw.Error as error:
            self._lost([unit], error)

    async def _begin(self, units: list[Unit]) -> bool:
        """Start a transaction; False, with the error on each unit, if there is none to be had."""
        try:
            if self._broken is not None:
                raise self._broken
            await self._begin_or_wait()
        except apsw.Error as error:
            self._lost(units, error)
            return False
        return True

    async def _begin_or_wait(self) -> None:
        if not self._begun():
            await self._in_thread(self._wait_for_lock)

    def _wait_for_lock(self) -> None:
        """Look often whether another process has done with its commit.

        SQLite's own waiting looks once in a millisecond or less, and a process that writes without
        a pause has begun again by then: measured with two, one waited for 1.1 seconds.
        """
        began = time.monotonic()
        waited = 0.0
        while not self._begun(last=waited >= self._busy_seconds):
            time.sleep(_LOOK_SECONDS if waited < _SOON_SECONDS else _LOOK_LATER_SECONDS)
            waited = time.monotonic() - began

    def _begun(self, *, last: bool = False) -> bool:
        """Begin a transaction; False, or an error at the last try, if another process writes."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            if last:
                raise
            return False
        return True

    async def _commit(self, units: list[Unit], run: Run) -> bool:
        """Run all and commit; False, with the error on each unit, if that was lost.

        Raises `RaisedError`, and nothing was changed, if `run` does.
        """
        try:
            for position, unit in enumerate(units, 1):
                run(unit)
                if position % _UNITS_A_TURN == 0:
                    await asyncio.sleep(0)
            with self._measured():
                await self._in_thread(self._connection.execute, "COMMIT")
        except RaisedError:
            self._roll_back()
            raise
        except apsw.Error as error:
            self._lost(units, error)
            return False
        return True

    def _roll_back(self) -> None:
        with contextlib.suppress(apsw.Error):
            if not self._connection.getautocommit():
                self._connection.execute("ROLLBACK")

    def _lost(self, units: list[Unit], error: apsw.Error) -> None:
        self._roll_back()
        for unit in units:
            unit.error = self._translate(error) if isinstance(error, ENGINE_ERRORS) else error
        if self._broken is None and _fsync_failed(error):
            # The kernel may drop the pages and call the next fsync good: only a process that
            # reads the file anew knows what is in it, and it may find these changes there.
            for unit in units:
                unit.error = OutcomeUnknownError(str(unit.error))
            self._broken = error
            self._failed.set()

    async def _in_thread(self, function: Callable[..., object], *values: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, function, *values)


def _fsync_failed(error: apsw.Error) -> bool:
    # apsw's type stubs leave the attribute out.
    code = getattr(error, "extendedresult", None)
    return isinstance(error, apsw.IOError) and code in _FSYNC_FAILED
