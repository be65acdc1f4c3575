"""Tells the other processes on one PostgreSQL that there is something to do (LISTEN, NOTIFY).

A hint may be lost, and nothing rests on it: whoever listens also looks by itself now and then. So
it is sent behind the commit that it is about. In the same transaction it would have all commits of
the database wait for each other, since the server keeps hints in the order of commits. What comes
close together is one hint, and each listener follows it at a moment of its own.
"""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from smarthost.clock import Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_connection import Connection
from smarthost.database.postgresql_errors import DRIVER_ERRORS

TOGETHER_SECONDS = 0.05
"""How long after a hint no other is sent."""
SPREAD_SECONDS = 0.1
"""Within this time the listeners follow a hint, each at a moment of its own."""
LOOK_SECONDS = 5.0
"""How often the listening session is asked whether it is still there."""
AGAIN_SECONDS = 1.0

_CHANNEL = "smarthost_mail"
_TELL = "SELECT pg_notify('smarthost_mail', $1)"
_LOOK = "SELECT 1"
_ANSWER_SECONDS = 4.0

log = structlog.get_logger("smarthost.database")


class Hints:
    """Tells and hears; belongs to one event loop."""

    def __init__(
        self,
        database: PostgresqlDatabase,
        name: str,
        clock: Clock,
        luck: Callable[[], float],
    ) -> None:
        """`name` is this process's, whose own hints it does not hear; `luck` is from 0 to 1."""
        self._database = database
        self._name = name
        self._clock = clock
        self._luck = luck
        self._to_tell = False
        self._telling: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()

    def tell(self) -> None:
        """Send a hint soon."""
        self._to_tell = True
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell())
            self._telling.add_done_callback(self._told)

    async def _tell(self) -> None:
        while self._to_tell:
            self._to_tell = False
            with contextlib.suppress(StoreUnavailableError):  # they look by themselves
                await self._database.fetch(_TELL, self._name)
            await self._clock.sleep(TOGETHER_SECONDS)

    def _told(self, _task: asyncio.Task[None]) -> None:
        self._telling = None

    async def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` when others have sent a hint, until cancelled."""
        following = asyncio.create_task(self._follow(wake))
        try:
            while True:
                try:
                    await self._listen()
                except StoreUnavailableError as error:
                    log.debug("hints not heard", reason=str(error))
                await self._clock.sleep(AGAIN_SECONDS * (0.5 + self._luck()))
        finally:
            following.cancel()

    async def _follow(self, wake: Callable[[], None]) -> None:
        while True:
            await self._heard.wait()
            await self._clock.sleep(SPREAD_SECONDS * self._luck())
            self._heard.clear()
            wake()

    async def _listen(self) -> None:
        """Listen until the session is gone. Raises `StoreUnavailableError` if there is none."""
        connection = await self._database.connect()
        try:
            await connection.add_listener(_CHANNEL, self._hear)
            self._heard.set()  # what was told while nobody listened
            await self._look(connection)
        except DRIVER_ERRORS as error:
            log.debug("hints not heard", reason=str(error))
        finally:
            connection.terminate()

    async def _look(self, connection: Connection) -> None:
        while not connection.is_closed():
            await self._clock.sleep(LOOK_SECONDS)
            async with asyncio.timeout(_ANSWER_SECONDS):
                await connection.fetch(_LOOK)

    def _hear(self, _connection: object, _process: int, _channel: str, name: object) -> None:
        if name != self._name:
            self._heard.set()
