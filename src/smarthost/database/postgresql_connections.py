"""Connections to one PostgreSQL: made when they are needed, looked over once, bounded, kept.

A connection that broke, or stands in the middle of something, is closed and never handed out
again; the next one is made anew. So a server that was away is there again by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg

from smarthost.database.engine import StoreUnavailableError
from smarthost.database.postgresql_candidate import (
    ASK_SECONDS,
    StandbyError,
    Standing,
    UnfitError,
)
from smarthost.database.postgresql_connection import Connection, keep_alive
from smarthost.database.postgresql_errors import DRIVER_ERRORS, LostError, name_of, told
from smarthost.database.postgresql_hosts import Host, hosts_of
from smarthost.database.postgresql_primary import Found, NoPrimaryError, Primary
from smarthost.database.postgresql_pulse import Pulse
from smarthost.database.postgresql_tls import tls_fault
from smarthost.database.server_clock import ServerClock
from smarthost.secret import Secret

AT_ONCE = 10
"""How many connections one process has at the most."""

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
        self._hosts = hosts_of(url)
        self._primary = Primary(self._hosts, self._open)
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
            raise self._told(self.name, TimeoutError())
        try:
            found = await self._find()
        except NoPrimaryError as error:
            raise self._none(error.faults) from error
        connection = found.connection
        try:
            self._look_over(found.standing)
            await self._have_it_look_whether_we_are_there(connection)
            await self._measure(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _find(self, *, anew: bool = False) -> Found:
        try:
            return await self._primary.find(anew=anew)
        except NoPrimaryError as error:
            if error.is_silence:
                self._silent_at = self._clock.monotonic()
            raise

    async def _open(self, host: Host) -> Connection:
        where: dict[str, object] = {}
        if len(self._hosts) > 1:
            where = {"host": host.name, "port": host.port}
        if host.name:  # else the driver may know of several, and which of them is meant
            where["target_session_attrs"] = "any"
        connection: Connection = await asyncpg.connect(
            self._url.reveal(),
            **where,
            timeout=ASK_SECONDS,
            command_timeout=ANSWER_SECONDS,
            # Statements are constants, a few hundred: each is prepared once and stays so.
            statement_cache_size=1024,
            max_cached_statement_lifetime=0,
            server_settings={**_SETTINGS, "application_name": self._application},
        )
        keep_alive(connection)
        return connection

    async def _is_there(self) -> bool:
        """Ask whether the server takes connections, or says at least that it does not.

        Where another one has taken over, the connections to the old one end by that.
        """
        try:
            found = await self._find(anew=True)
        except NoPrimaryError as error:
            return error.is_answered
        found.connection.terminate()
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

    def _look_over(self, standing: Standing) -> None:
        self._refuse_unless(
            standing.version >= OLDEST_SERVER,
            f"is PostgreSQL {standing.version}; Smarthost needs {OLDEST_SERVER} or newer.",
        )
        self._refuse_unless(
            standing.fsync == "on",
            "loses what it has confirmed when its machine fails: set fsync = on.",
        )
        self._refuse_unless(
            standing.synchronous_commit != "off",
            "confirms what is not on its disk yet: set synchronous_commit = on.",
        )
        self._refuse_unless(
            standing.encoding == "UTF8",
            f"has the encoding {standing.encoding}. Make one with: createdb -T template0 -E UTF8",
        )

    async def _have_it_look_whether_we_are_there(self, connection: Connection) -> None:
        try:
            await connection.fetch(_LOOK_WHETHER_WE_ARE_THERE, timeout=ASK_SECONDS)
        except DRIVER_ERRORS as error:
            raise self._told(self.name, error) from error

    async def _measure(self, connection: Connection) -> None:
        asked_at = self._clock.monotonic()
        try:
            rows = await connection.fetch(_NOW, timeout=ASK_SECONDS)
        except DRIVER_ERRORS as error:
            connection.terminate()
            raise told(self.name, error) from error
        (said,) = tuple(rows[0])
        assert isinstance(said, int)  # noqa: S101 - what is asked for
        self._clock.measured(said, asked_at)

    def _refuse_unless(self, fine: bool, words: str) -> None:
        if not fine:
            raise StoreUnavailableError(f"{self.name} {words}")

    def _none(self, faults: Mapping[Host, Exception]) -> StoreUnavailableError:
        """Return what is to be raised where no server can be used: nothing was lost by that."""
        if len(faults) == 1:
            (fault,) = faults.values()
            found = self._told(self.name, fault)
            is_standby = isinstance(fault, StandbyError)
            return StoreUnavailableError(f"{found} Name the primary.") if is_standby else found
        told_of_each = " ".join(str(self._told(str(host), faults[host])) for host in faults)
        return StoreUnavailableError(f"{self.name} has no primary: {told_of_each}")

    def _told(self, name: str, error: Exception) -> StoreUnavailableError:
        """Return what is to be raised for one of `DRIVER_ERRORS` or an `UnfitError`."""
        if isinstance(error, UnfitError):
            return StoreUnavailableError(f"{name} {error}")
        if fault := tls_fault(self._url, error):
            return StoreUnavailableError(f"{name} {fault}")
        found = told(name, error)
        if isinstance(found, LostError):
            return StoreUnavailableError(str(found))
        if isinstance(found, StoreUnavailableError):
            return found
        return StoreUnavailableError(f"{name} cannot be connected to: {found}.")
