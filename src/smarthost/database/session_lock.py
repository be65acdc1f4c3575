"""Locks that a session of a PostgreSQL server holds, however many machines ask for them.

They end with their connection, so that nobody waits for a process that is gone; and the server
ends the session of one that hangs. They are for work during which no transaction may be open,
since a network is waited for. A process has all of its locks by one session, so that as many as
there are portals take one connection.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from smarthost.clock import Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_connection import Connection
from smarthost.database.postgresql_errors import DRIVER_ERRORS

LONGEST_SECONDS = 60
"""Of a process that does nothing for this long the server takes all locks."""

_LOOK_SECONDS = 0.1
_CLOSE_SECONDS = 4.0
# Advisory locks are the database's, and others may use them there too: these are ours.
_TAKE = "SELECT pg_try_advisory_lock(hashtextextended($1, 7251))"
_LET_GO = "SELECT pg_advisory_unlock(hashtextextended($1, 7251))"


class LockedError(Exception):
    """Somebody else kept the lock for as long as was waited."""


class SessionLocks:
    """The locks of one process; belongs to one event loop."""

    def __init__(
        self,
        database: PostgresqlDatabase,
        clock: Clock,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._end_when_idle = f"SET idle_session_timeout = {round(longest_seconds * 1000)}"
        self._database = database
        self._clock = clock
        self._session: Connection | None = None
        self._asking = asyncio.Lock()
        # The server gives a session what that has already.
        self._names: set[str] = set()

    @asynccontextmanager
    async def held(self, name: str, *, wait_seconds: float) -> AsyncIterator[None]:
        """Hold the lock of `name`, once nobody else does.

        Raises `LockedError` and `StoreUnavailableError`.
        """
        until = self._clock.monotonic() + wait_seconds
        while (session := await self._take(name)) is None:
            if self._clock.monotonic() >= until:
                raise LockedError(name)
            await self._clock.sleep(_LOOK_SECONDS)
        try:
            yield
        finally:
            await self._let_go(name, session)

    async def _take(self, name: str) -> Connection | None:
        if name in self._names:
            return None
        self._names.add(name)
        taken = None
        try:
            async with self._asking:
                taken = await self._taken(name)
        finally:
            if taken is None:
                self._names.discard(name)
                await self._close_if_idle()
        return taken

    async def _taken(self, name: str) -> Connection | None:
        session = await self._opened()
        try:
            is_taken = (await session.fetch(_TAKE, name))[0][0]
        except BaseException as error:
            session.terminate()  # nobody knows whether it has the lock
            if isinstance(error, DRIVER_ERRORS):
                raise StoreUnavailableError(f"The lock of {name} is out of reach.") from error
            raise
        return session if is_taken else None

    async def _opened(self) -> Connection:
        if self._session is None or self._session.is_closed():
            session = await self._database.connect()
            try:
                await session.execute(self._end_when_idle)
            except BaseException:
                session.terminate()
                raise
            self._session = session
        return self._session

    async def _let_go(self, name: str, session: Connection) -> None:
        try:
            async with self._asking:
                if not session.is_closed():
                    await session.fetch(_LET_GO, name)
        except BaseException as error:
            session.terminate()
            if not isinstance(error, DRIVER_ERRORS):
                raise
        finally:
            self._names.discard(name)
            await self._close_if_idle()

    async def _close_if_idle(self) -> None:
        if self._names or self._session is None:
            return
        session, self._session = self._session, None
        with contextlib.suppress(*DRIVER_ERRORS):
            await session.close(timeout=_CLOSE_SECONDS)
