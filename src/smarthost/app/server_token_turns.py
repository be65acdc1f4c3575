"""One at a time asks for the token of a portal, on however many machines.

It is what `token_turns.py` is on one; a PostgreSQL server keeps the others out.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from smarthost.app.token_turns import MOST_SECONDS, TAKEN
from smarthost.clock import Clock
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.session_lock import LockedError, SessionLocks
from smarthost.delivery.bearer_token import NoToken, NoTokenError


class ServerTokenTurns:
    """Gives turns to all of one process, among all nodes of an installation."""

    def __init__(self, database: Database, clock: Clock) -> None:
        assert isinstance(database, PostgresqlDatabase)  # noqa: S101 - what the URL opens
        self._locks = SessionLocks(database, clock)

    @asynccontextmanager
    async def turn(self, portal_id: str) -> AsyncIterator[None]:
        """Wait for the portal's turn and hold it. Raises `NoTokenError`."""
        lock = self._locks.held(f"token of {portal_id}", wait_seconds=MOST_SECONDS)
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(lock)
            except LockedError as error:
                raise NoTokenError(NoToken.UNAVAILABLE, TAKEN) from error
            except StoreUnavailableError as error:
                raise NoTokenError(NoToken.UNAVAILABLE, "The store cannot be reached.") from error
            yield
