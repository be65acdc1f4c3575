"""A store that passes all on to another: what a test wants otherwise it overrides."""

from smarthost.database.engine import Database, Row, T, Value, Work


class PassingOn:
    """`Database` in front of another one."""

    def __init__(self, database: Database) -> None:
        self.dialect = database.dialect
        self.in_order = database.in_order
        self._database = database

    async def fetch(self, sql: str, *values: Value) -> list[Row]:
        return await self._database.fetch(sql, *values)

    async def execute(self, sql: str, *values: Value) -> int:
        return await self._database.execute(sql, *values)

    async def note(self, sql: str, *values: Value) -> None:
        await self._database.note(sql, *values)

    async def transact(self, work: Work[T]) -> T:
        return await self._database.transact(work)

    async def transact_long(self, work: Work[T]) -> T:
        return await self._database.transact_long(work)

    def check_room(self, octets: int) -> None:
        self._database.check_room(octets)

    async def find_damage(self) -> str | None:
        return await self._database.find_damage()

    async def wait_failed(self) -> None:
        await self._database.wait_failed()

    async def close(self) -> None:
        await self._database.close()
