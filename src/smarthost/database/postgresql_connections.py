"""Connections to one PostgreSQL: made when they are needed, looked over once, bounded, kept.

A connection that broke, or stands in the middle of something, is closed and never handed out
again; the next one is made anew. So a server that was away is there again by itself.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import asyncpg

from smarthost.database.engine import StoreUnavailableError
from smarthost.database.postgresql_errors import DRIVER_ERRORS, LostError, name_of, told
from smarthost.database.postgresql_pulse import Pulse
from smarthost.database.postgresql_tls import tls_fault
from smarthost.database.server_clock import ServerClock
from smarthost.secret import Secret


class Connection(Protocol):
    """What is used of asyncpg's connection, which has no types."""

    async def fetch(
        self,
        sql: str,
        *values: object,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own
    ) -> list[tuple[object, ...]]:
        """Run one statement and return all its rows."""
        ...

    async def fetchmany(
        self,
        sql: str,
        values: Iterable[Sequence[object]],
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own
    ) -> list[tuple[object, ...]]:
        """Run one statement for each sequence of values and return all their rows."""
        ...

    def cursor(
        self, sql: str, *, prefetch: int, timeout: float | None = None
    ) -> AsyncIterable[tuple[object, ...]]:
        """Run one statement in the transaction under way, and give its rows as they are read."""
        ...

    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[tuple[object, ...]],
        columns: Sequence[str],
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own
    ) -> str:
        """Add rows to a table, by COPY."""
        ...

    async def execute(
        self,
        sql: str,
        *values: object,
        timeout: float | None = None,  # noqa: ASYNC109 - the driver's own
    ) -> str:
        """Run a statement, or a script without values; return the last command's tag."""
        ...

    async def add_listener(
        self, channel: str, callback: Callable[[object, int, str, object], None]
    ) -> None:
        """Call `callback` with connection, sender's process, channel and words of each message."""
        ...

    def is_closed(self) -> bool:
        """Tell whether it is of no use any more."""
        ...

    def is_in_transaction(self) -> bool:
        """Tell whether a transaction was begun and not ended."""
        ...

    def terminate(self) -> None:
        """Close it without a word."""
        ...

    async def close(self, *, timeout: float) -> None:  # noqa: ASYNC109 - the driver's own
        """Close it orderly."""
        ...


AT_ONCE = 10
"""How many connections one process has at the most."""

CONNECT_SECONDS = 5.0
AWAY_SECONDS = 1.0
"""For so long after a server has not answered at all, whoever wants to connect is told so at once.

Whoever has waited in line for a connection would otherwise wait for the same again.
"""
ANSWER_SECONDS = 20.0
"""How long a statement may take, on the way there and back included."""
WAIT_SECONDS = 10.0
"""How long is waited for a connection that is free."""
CLOSE_SECONDS = 2.0
"""How long a connection may take to be closed."""
LONG_SECONDS = 24 * 3600.0
"""How long a statement may take where that is known to take long: of a migration, for instance."""

OLDEST_SERVER = 14

# The server ends what a node has left behind that hangs or is cut off, before those who wait for
# its locks give up. All are shorter than `ANSWER_SECONDS`, since the server knows more of it.
NEEDED_SETTINGS = {
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "5s",
    "default_transaction_isolation": "read committed",
}
"""What a session has to be run with, as the server shows it."""

_SETTINGS = {
    **NEEDED_SETTINGS,
    "tcp_keepalives_idle": "3",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "6s",
    # Compiling pays for minutes of computing; what is asked here takes microseconds.
    "jit": "off",
    # So does a second process of the server; starting it takes longer than a page of rows.
    "max_parallel_workers_per_gather": "0",
}
_STANDING = """
SELECT CAST(current_setting('server_version_num') AS INTEGER) / 10000, current_setting('fsync'),
       current_setting('synchronous_commit'), pg_is_in_recovery(),
       current_setting('server_encoding')"""
# Who waits for a lock reads nothing, so it would get the lock though its node is cut off, and then
# keep it: several of one node one after the other. Some systems cannot look.
_LOOK_WHETHER_WE_ARE_THERE = """
SELECT set_config('client_connection_check_interval', '1s', false)
WHERE version() LIKE '%linux%'"""
_NOW = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"


APPLICATION = "smarthost"
"""How the server is told whose a session is; behind it and a blank the name of a node."""


class Connections:
    """Belongs to one event loop."""

    def __init__(self, url: Secret, clock: ServerClock, at_once: int = AT_ONCE) -> None:
        """Connect to nothing yet; `at_once` is how many there are at the most.

        `clock` is told the server's time.
        """
        self._url = url
        self._clock = clock
        self.name = name_of(url)
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(at_once)
        self._silent_at = float("-inf")
        self._application = APPLICATION
        self.pulse = Pulse(self._is_there)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Connection]:
        """Give a connection that nobody else has. Raises `StoreUnavailableError`."""
        await self.wait_for(self._free)
        try:
            connection = self._take_idle() or await self.connect()
            try:
                if self._clock.is_old:
                    await self._measure(connection)
                yield connection
            except asyncio.CancelledError:
                connection.terminate()  # a statement may still be under way
                raise
            finally:
                self._take_back(connection)
        finally:
            self._free.release()

    async def connect(self) -> Connection:
        """Make a connection beside the others. Raises `StoreUnavailableError`."""
        if self._clock.monotonic() - self._silent_at < AWAY_SECONDS:
            raise self._told(TimeoutError())
        try:
            connection = await self._open()
        except DRIVER_ERRORS as error:
            raise self._told(error) from error
        try:
            await self._look_over(connection)
            await self._measure(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _open(self) -> Connection:
        try:
            connection: Connection = await asyncpg.connect(
                self._url.reveal(),
                timeout=CONNECT_SECONDS,
                command_timeout=ANSWER_SECONDS,
                # Statements are constants, a few hundred: each is prepared once and stays so.
                statement_cache_size=1024,
                max_cached_statement_lifetime=0,
                server_settings={**_SETTINGS, "application_name": self._application},
            )
        except TimeoutError:
            self._silent_at = self._clock.monotonic()
            raise
        return connection

    async def _is_there(self) -> bool:
        """Ask whether the server takes connections, or says at least that it does not."""
        try:
            connection = await self._open()
        except asyncpg.PostgresError:
            return True
        except DRIVER_ERRORS:
            return False
        connection.terminate()
        return True

    def name_sessions(self, node: str) -> None:
        """Have the server know from now on that this process's sessions are a node's."""
        self._application = f"{APPLICATION} {node}"
        self.forget_idle()

    def forget_idle(self) -> None:
        """Close what is not in use: one of them was broken, and so may be all."""
        while self._idle:
            self._idle.pop().terminate()

    async def close(self) -> None:
        """Close what is not in use, orderly."""
        await self.pulse.close()
        idle, self._idle = self._idle, []
        # Side by side: each takes its time where the server is away.
        closing = (connection.close(timeout=CLOSE_SECONDS) for connection in idle)
        await asyncio.gather(*closing, return_exceptions=True)

    async def wait_for(self, room: asyncio.Semaphore) -> None:
        """Take room for one more, or raise `StoreUnavailableError` if there is none for long."""
        if not room.locked():  # a limit of time costs as much as the rest of this
            await room.acquire()
            return
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await room.acquire()
        except TimeoutError:
            raise StoreUnavailableError(
                f"{self.name} is slower than what is asked of it: every connection is in use."
            ) from None

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return None

    def _take_back(self, connection: Connection) -> None:
        if connection.is_closed():
            return
        if connection.is_in_transaction():
            connection.terminate()
        else:
            self._idle.append(connection)

    async def _look_over(self, connection: Connection) -> None:
        try:
            rows = await connection.fetch(_STANDING, timeout=CONNECT_SECONDS)
            await connection.fetch(_LOOK_WHETHER_WE_ARE_THERE, timeout=CONNECT_SECONDS)
        except DRIVER_ERRORS as error:
            raise self._told(error) from error
        standing: tuple[int, str, str, bool, str] = tuple(rows[0])  # type: ignore[assignment]
        version, fsync, synchronous_commit, is_standby, encoding = standing
        self._refuse_unless(
            version >= OLDEST_SERVER,
            f"is PostgreSQL {version}; Smarthost needs {OLDEST_SERVER} or newer.",
        )
        self._refuse_unless(not is_standby, "is a standby. Name the primary server.")
        self._refuse_unless(
            fsync == "on", "loses what it has confirmed when its machine fails: set fsync = on."
        )
        self._refuse_unless(
            synchronous_commit != "off",
            "confirms what is not on its disk yet: set synchronous_commit = on.",
        )
        self._refuse_unless(
            encoding == "UTF8",
            f"has the encoding {encoding}. Make one with: createdb -T template0 -E UTF8",
        )

    async def _measure(self, connection: Connection) -> None:
        asked_at = self._clock.monotonic()
        try:
            rows = await connection.fetch(_NOW, timeout=CONNECT_SECONDS)
        except DRIVER_ERRORS as error:
            connection.terminate()
            raise told(self.name, error) from error
        (said,) = tuple(rows[0])
        assert isinstance(said, int)  # noqa: S101 - what is asked for
        self._clock.measured(said, asked_at)

    def _refuse_unless(self, fine: bool, words: str) -> None:
        if not fine:
            raise StoreUnavailableError(f"{self.name} {words}")

    def _told(self, error: Exception) -> StoreUnavailableError:
        """Return what is to be raised where none could be made: nothing was lost by that."""
        if fault := tls_fault(self._url, error):
            return StoreUnavailableError(f"{self.name} {fault}")
        found = told(self.name, error)
        if isinstance(found, LostError):
            return StoreUnavailableError(str(found))
        if isinstance(found, StoreUnavailableError):
            return found
        return StoreUnavailableError(f"{self.name} cannot be connected to: {found}.")
