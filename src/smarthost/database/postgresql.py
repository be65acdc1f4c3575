"""The store on a PostgreSQL server, which several machines may share, through asyncpg.

Each unit of work has a connection and a transaction of its own at READ COMMITTED: a statement
sees what was committed before it began, and whoever decides by what it has read locks first what
that is about (`docs/decisions/0007-one-unit-of-work-on-postgresql.md`). A unit runs to its end
whoever still waits for it, so that a connection is never left in the middle of something.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Literal

from smarthost.clock import Clock, SystemClock
from smarthost.database.engine import (
    OutcomeUnknownError,
    Row,
    StoreUnavailableError,
    T,
    Value,
    Work,
)
from smarthost.database.postgresql_connection import Connection
from smarthost.database.postgresql_connections import (
    ANSWER_SECONDS,
    AT_ONCE,
    LONG_SECONDS,
    Connections,
)
from smarthost.database.postgresql_errors import DRIVER_ERRORS, AgainError, LostError, told
from smarthost.database.postgresql_statements import Statements, UnitTransaction
from smarthost.database.server_clock import ServerClock
from smarthost.secret import Secret

Measured = Callable[[], contextlib.AbstractContextManager[object]]
"""Returns what is entered for the time of one commit."""

_Outcome = tuple[Any, BaseException | None]
_Answer = asyncio.Future[_Outcome]
"""What the caller is told: before the end, where a commit takes long."""

_BEGIN_HERE_ALONE = "BEGIN; SET LOCAL synchronous_commit = local"

_TRIES = 8
_LONGEST_PAUSE_SECONDS = 0.5

# So that what waits for a lock leaves connections to those who only read.
_FOR_READS = 3

_DAMAGED = """
SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()"""

# For a unit of work that may take hours. A table that others use is waited for briefly, since all
# who come later wait behind that.
_AT_LENGTH = """
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = '2s'"""

_KEPT_OR_NOT = "The last change may be kept or not."


class PostgresqlDatabase:
    """One database of a server, opened by this process and perhaps by others elsewhere."""

    dialect: Literal["sqlite", "postgresql"] = "postgresql"
    in_order = False

    def __init__(
        self,
        url: Secret,
        *,
        at_once: int = AT_ONCE,
        measured: Measured = contextlib.nullcontext,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        luck: Callable[[], float] = random.random,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Connect to nothing yet: the first call does, and says what is wrong.

        `url` is `postgresql://user:password@host:port/database`; `at_once` how many connections
        there are at the most. `measured` gives what is entered for the time of each commit.
        `clock` is the machine's; the server's is `self.clock`, as soon as a connection was made.
        `luck` gives numbers from 0 to 1, for the pauses between tries. Whoever has waited for a
        commit for `answer_seconds` is told that its outcome is not known.
        """
        self.clock = ServerClock(clock or SystemClock())
        self._connections = Connections(url, self.clock, at_once)
        self._units = asyncio.Semaphore(max(1, at_once - _FOR_READS))
        self._measured = measured
        self._sleep = sleep
        self._luck = luck
        self._answer_seconds = answer_seconds
        self._running: dict[asyncio.Task[_Outcome], _Answer] = {}
        self._closed = False

    @property
    def name(self) -> str:
        """What an operator knows it by: its name and its hosts."""
        return self._connections.name

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        """Run one read, which sees what was committed before it began."""
        return await self._even_if_lost(partial(self._fetch, sql, values))

    async def _fetch(self, sql: str, values: tuple[Value, ...]) -> list[Row]:
        async with self._connections.one() as connection:
            return await self._of(connection).fetch(sql, *values)

    async def note(self, sql: str, *values: Value) -> None:
        """Run one statement beside units of work; return when its commit is on this server."""
        await self._even_if_lost(partial(self._note, sql, values))

    async def _note(self, sql: str, values: tuple[Value, ...]) -> None:
        async with self._connections.one() as connection:
            statements = self._of(connection)
            await statements.execute(_BEGIN_HERE_ALONE)
            await statements.execute(sql, *values)
            await statements.execute("COMMIT")

    async def _even_if_lost(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask, and once more where the connection was lost by that."""
        self._refuse_if_closed()
        try:
            return await ask()
        except LostError:
            # A server that was started anew has closed what was idle; the next connection tells.
            self._connections.forget_idle()
            return await ask()

    async def execute(self, sql: str, *values: Value) -> int:
        """Run one statement; return when its commit is on the server's disk."""
        cut_off: list[LostError] = []

        async def alone(answer: _Answer) -> int:
            try:
                return await self._alone(sql, values, answer)
            except LostError as error:
                cut_off.append(error)
                raise

        try:
            return await self._to_the_end(alone)
        except StoreUnavailableError as error:
            if cut_off:  # whatever it was that ended the second try
                raise OutcomeUnknownError(f"{error} {_KEPT_OR_NOT}") from error
            raise

    async def transact(self, work: Work[T]) -> T:
        """Run `work`; return when its commit is on the server's disk."""
        return await self._to_the_end(partial(self._once, work))

    async def _to_the_end(self, change: Callable[[_Answer], Awaitable[T]]) -> T:
        """Make a change, whoever waits for it."""
        self._refuse_if_closed()
        loop = asyncio.get_running_loop()
        answer: _Answer = loop.create_future()
        running = loop.create_task(self._perform(change, answer))
        self._running[running] = answer
        running.add_done_callback(self._ended)
        result: T
        result, error = await asyncio.shield(answer)
        if error is not None:
            raise error
        return result

    def _ended(self, running: asyncio.Task[_Outcome]) -> None:
        answer = self._running.pop(running)
        if not answer.done() and not running.cancelled():
            answer.set_result(running.result())

    async def _perform(
        self, change: Callable[[_Answer], Awaitable[object]], answer: _Answer
    ) -> _Outcome:
        """Make a change again and again until it stood in nobody's way, and was not cut off."""
        lost = False
        for tried in range(1, _TRIES + 1):
            try:
                async with self._room():
                    return await change(answer), None
            except AgainError as error:
                if tried == _TRIES or answer.done():
                    return None, error
                await self._sleep(min(0.01 * 2**tried, _LONGEST_PAUSE_SECONDS) * self._luck())
            except LostError as error:
                if lost or answer.done():  # whoever was told may have done it anew
                    return None, error
                lost = True
                self._connections.forget_idle()
            except BaseException as error:  # noqa: BLE001 - it belongs to the one who waits
                return None, error
        raise AssertionError("the last try returns")

    async def transact_long(self, work: Work[T]) -> T:
        """Run `work` once, without a limit to how long its statements take."""
        self._refuse_if_closed()
        async with self._room():
            return await self._once(work, None, first=_AT_LENGTH)

    @asynccontextmanager
    async def _room(self) -> AsyncIterator[None]:
        await self._connections.wait_for(self._units)
        try:
            yield
        finally:
            self._units.release()

    def _of(self, connection: Connection) -> Statements:
        return Statements(connection, self._connections, None)

    async def _alone(self, sql: str, values: tuple[Value, ...], answer: _Answer) -> int:
        async with self._connections.one() as connection:
            statements = Statements(connection, self._connections, LONG_SECONDS)
            with self._measured(), self._telling(answer):
                return await statements.execute(sql, *values)

    async def _once(self, work: Work[T], answer: _Answer | None, first: str | None = None) -> T:
        async with self._connections.one() as connection:
            patience = None if first is None else LONG_SECONDS
            transaction = UnitTransaction(connection, self._connections, patience)
            try:
                if first is not None:
                    await transaction.execute(first)
                result = await work(transaction)
            except BaseException:
                if transaction.begun:
                    await self._roll_back(connection)
                raise
            if transaction.begun:
                await self._commit(connection, answer)
            return result

    async def _commit(self, connection: Connection, answer: _Answer | None) -> None:
        watching = self._connections.pulse.watching(connection)
        patience = None if answer is None else LONG_SECONDS
        try:
            with self._measured(), watching, self._telling(answer):
                status = await connection.execute("COMMIT", timeout=patience)
        except DRIVER_ERRORS as error:
            connection.terminate()
            found = told(self._connections.name, error)
            if isinstance(found, LostError):
                raise OutcomeUnknownError(f"{found} {_KEPT_OR_NOT}") from error
            raise found from error
        if status != "COMMIT":
            raise TypeError("a unit of work went on behind a statement that failed")

    @contextlib.contextmanager
    def _telling(self, answer: _Answer | None) -> Iterator[None]:
        """Tell the caller in time that a commit is in doubt, and wait for its end nonetheless.

        A server that waits for its standby does not look whether we are there, and keeps the
        session: whoever took another one in its place would fill the server with them.
        """
        if answer is None:
            yield
            return
        loop = asyncio.get_running_loop()
        doubt = OutcomeUnknownError(f"{self.name} has not answered in time. {_KEPT_OR_NOT}")
        timer = loop.call_later(self._answer_seconds, answer.set_result, (None, doubt))
        try:
            yield
        finally:
            timer.cancel()

    async def _roll_back(self, connection: Connection) -> None:
        try:
            with self._connections.pulse.watching(connection):
                await connection.execute("ROLLBACK")
        except DRIVER_ERRORS:
            connection.terminate()

    def name_sessions(self, node: str) -> None:
        """Have the server know from now on that this process's sessions are a node's."""
        self._connections.name_sessions(node)

    async def connect(self) -> Connection:
        """Make a connection that is the caller's own. Raises `StoreUnavailableError`."""
        self._refuse_if_closed()
        return await self._connections.connect()

    def check_room(self, octets: int) -> None:
        """Return: the disk is the server's, which refuses what it has no room for."""

    async def find_damage(self) -> str | None:
        """Return whether the server has met a page whose checksum is wrong, where it has them."""
        for (failures,) in await self.fetch(_DAMAGED):
            if failures:
                return f"the server has met {failures} damaged pages"
        return None

    async def wait_failed(self) -> None:
        """Wait for ever: what fails at the server is over when that has started again."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Finish the units of work that were begun, and close all connections.

        A commit whose caller was told that it is in doubt is not waited for any more.
        """
        self._closed = True
        if self._running:
            await asyncio.wait(set(self._running.values()))
        for running in list(self._running):
            running.cancel()
            await asyncio.wait({running})
        await self._connections.close()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreUnavailableError(
                f"{self._connections.name} is closed already: the service is stopping."
            )
