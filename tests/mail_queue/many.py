"""How often a store is asked, for tests with a great many portals."""

from collections.abc import Sequence

from smarthost.database.engine import Row, T, Transaction, Value, Work
from tests.mail_queue.scripted import Faltering


class Asked(Faltering):
    """Counts what is asked of a store: reads, and statements in units of work."""

    asked = 0

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        self.asked += 1
        return await super().fetch(sql, *values)

    async def execute(self, sql: str, *values: Value) -> int:
        self.asked += 1
        return await super().execute(sql, *values)

    async def transact(self, work: Work[T]) -> T:
        async def counted(tx: Transaction) -> T:
            return await work(_Counted(tx, self))

        return await super().transact(counted)


class _Counted:
    """A unit of work's transaction."""

    def __init__(self, tx: Transaction, asked: Asked) -> None:
        self._tx = tx
        self._asked = asked

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        self._asked.asked += 1
        return await self._tx.fetch(sql, *values)

    async def fetch_each(self, sql: str, rows: Sequence[Sequence[Value]]) -> list[Row]:
        self._asked.asked += 1
        return await self._tx.fetch_each(sql, rows)

    async def execute(self, sql: str, *values: Value) -> int:
        self._asked.asked += 1
        return await self._tx.execute(sql, *values)

    async def lock(self, subject: str) -> None:
        self._asked.asked += 1
        await self._tx.lock(subject)
