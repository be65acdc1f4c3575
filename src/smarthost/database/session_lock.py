"""A lock that one session of a PostgreSQL server holds: it ends with its connection.

Whoever held it may not have noticed yet when the next one has it, if the server was the first to
give the connection up. So it says who is to begin something, and nothing rests on its being held
by one at a time for all of the time.
"""

import asyncio
import contextlib

import structlog

from smarthost.clock import Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_connections import Connection
from smarthost.database.postgresql_errors import DRIVER_ERRORS

LOOK_SECONDS = 2.0
"""How often the session is asked whether it is still there."""
_ANSWER_SECONDS = 4.0

_TAKE = "SELECT pg_try_advisory_lock(hashtextextended($1, 7250))"
_LOOK = "SELECT 1"

log = structlog.get_logger("smarthost.database")


class SessionLock:
    """Held by one process at a time, on any machine."""

    def __init__(self, database: PostgresqlDatabase, name: str, clock: Clock) -> None:
        """`name` is what is locked."""
        self._database = database
        self._name = name
        self._clock = clock
        self._connection: Connection | None = None
        self._held = False
        self._looking: asyncio.Task[None] | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has the lock, as far as it knows."""
        return self._held and self._connection is not None and not self._connection.is_closed()

    async def take(self) -> bool:
        """Take the lock without waiting; False if another process has it.

        Raises `StoreUnavailableError`.
        """
        if self.is_held:
            return True
        connection = await self._connected()
        try:
            rows = await connection.fetch(_TAKE, self._name)
        except DRIVER_ERRORS as error:
            await self.give_up()
            raise StoreUnavailableError(f"The lock of {self._name} is out of reach.") from error
        self._held = bool(rows[0][0])
        if self._held:
            self._looking = asyncio.create_task(self._look(connection))
        return self._held

    async def give_up(self) -> None:
        """Let the lock go, if it is held, and the session with it."""
        self._held = False
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
            self._looking = None
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*DRIVER_ERRORS):
                await connection.close(timeout=_ANSWER_SECONDS)

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            await self.give_up()
            self._connection = await self._database.connect()
        return self._connection

    async def _look(self, connection: Connection) -> None:
        try:
            while not connection.is_closed():
                await self._clock.sleep(LOOK_SECONDS)
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await connection.fetch(_LOOK)
        except DRIVER_ERRORS:
            connection.terminate()
        if self._held:
            self._held = False
            log.warning("the session that held a lock is gone", lock=self._name)
