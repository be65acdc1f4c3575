"""A process that sends notices and kills itself at a named point of the first transaction."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from smarthost.app.logs import configure_logs
from smarthost.database.engine import Database, Row, T, Transaction, Value, Work
from tests.engines import open_database
from tests.failure_notices.world import World
from tests.mail_queue.clocks import HeldClock
from tests.passing_on import PassingOn

SOURCE = """
import sys
from pathlib import Path
from tests.failure_notices.mortal import main

main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
"""
POINTS = ("begin", "rows removed", "before the commit", "after the commit")


class Mortal(PassingOn):
    """A store under which the process dies."""

    def __init__(self, database: Database, point: str) -> None:
        super().__init__(database)
        self._point = point

    def _come_to(self, point: str) -> None:
        if point == self._point:
            os.kill(os.getpid(), signal.SIGKILL)

    async def transact(self, work: Work[T]) -> T:
        async def mortal_work(tx: Transaction) -> T:
            self._come_to("begin")
            done = await work(_MortalTransaction(tx, self))
            self._come_to("before the commit")
            return done

        result = await self._database.transact(mortal_work)
        self._come_to("after the commit")
        return result


class _MortalTransaction:
    def __init__(self, tx: Transaction, mortal: Mortal) -> None:
        self._tx = tx
        self._mortal = mortal

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        return await self._tx.fetch(sql, *values)

    async def fetch_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[Row]:
        return await self._tx.fetch_each(sql, rows)

    async def execute(self, sql: str, *values: Value) -> int:
        changed = await self._tx.execute(sql, *values)
        if "DELETE FROM failure_notices" in sql:
            self._mortal._come_to("rows removed")
        return changed

    async def lock(self, subject: str) -> None:
        await self._tx.lock(subject)


def main(engine: str, folder: Path, point: str) -> None:
    """Send what is to be sent, and die on the way."""
    configure_logs("console", "error")

    async def send() -> None:
        world = World(Mortal(open_database(engine, folder), point), HeldClock())
        await world.notices.send_round()

    asyncio.run(send())
