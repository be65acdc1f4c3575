"""A process that upgrades a store and dies at a chosen step; one is forked for each step.

Steps are before each statement of a migration, before its commit, and behind it. Each process
first looks at what the one before has left: every row, and exactly the tables of a whole schema.
Beside it a store without rows is brought from schema to schema by one that lives.
"""

import asyncio
import os
import pickle
import signal
import sqlite3
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

from smarthost.clock import SystemClock
from smarthost.database.engine import Database, T, Transaction, Value, Work
from smarthost.database.migrate import Migration, migrate, migrations, schema_version
from tests.database.first_store import MAIL_AT, write_first_store, write_mail
from tests.database.shape import lost, rows_of, shape_of
from tests.engines import make_store, open_database
from tests.processes import run_python

SOURCE = """
import sys
from pathlib import Path
from tests.database.dying import Upgrades

print(Upgrades(sys.argv[1], Path(sys.argv[2])).run(int(sys.argv[3])))
"""


def kill_upgrades(engine: str, folder: Path, every: int) -> int:
    """Upgrade the store of `folder`, killed at every so many statements; return how often."""
    reference = folder / "reference"
    reference.mkdir()
    for one in (folder, reference):
        make_store(engine, one)
    ended = run_python(SOURCE, engine, folder, every)
    assert ended.status == 0, ended.errors
    return int(ended.lines[-1])


class Upgrades:
    """Brings the store of one folder from the first schema to the last."""

    def __init__(self, engine: str, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._reference = folder / "reference"
        self._rows = folder / "rows"
        self._shape = folder / "shape"

    def run(self, every: int) -> int:
        """Die at every so many statements, and at both sides of each commit; return how often."""
        kills = 0
        self._in_child(self._folder, write_first_store)
        self._in_child(self._folder, self._note_rows)
        for migration in migrations(self._engine)[1:]:
            version = migration.version - 1
            self._in_child(self._reference, lambda database, of=version: self._lead(database, of))  # type: ignore[misc]
            last = len(pieces(self._engine, migration.script))
            steps = [*range(version % every, last, every), last, last + 1]
            for step in steps:
                dying = _Dying(migration, step)

                async def upgrade(
                    database: Database, dying: _Dying = dying, version: int = version
                ) -> None:
                    await self._look_over(database, version)
                    await migrate(dying.under(database), SystemClock())

                status = self._in_child(self._folder, upgrade, lives=False)
                assert status == -signal.SIGKILL, f"{migration.name}, step {step}: {status}"
            kills += len(steps)
            if migration.version == MAIL_AT:
                self._in_child(self._folder, lambda database: database.transact(write_mail))
                self._in_child(self._folder, self._note_rows)
        return kills

    async def _note_rows(self, database: Database) -> None:
        self._rows.write_bytes(pickle.dumps(await rows_of(database)))

    async def _lead(self, database: Database, version: int) -> None:
        await migrate(database, SystemClock(), migrations(self._engine)[:version])
        self._shape.write_bytes(pickle.dumps(await shape_of(database)))

    async def _look_over(self, database: Database, version: int) -> None:
        assert await schema_version(database) == version
        assert await shape_of(database) == pickle.loads(self._shape.read_bytes())
        assert await lost(database, pickle.loads(self._rows.read_bytes())) == []

    def _in_child(
        self, folder: Path, work: Callable[[Database], Awaitable[None]], *, lives: bool = True
    ) -> int:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                asyncio.run(_with(self._engine, folder, work))
                code = 0
            except BaseException:  # noqa: BLE001 - told, and never goes on as the parent
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code == 0 or not lives
        return code


async def _with(engine: str, folder: Path, work: Callable[[Database], Awaitable[None]]) -> None:
    database = open_database(engine, folder)
    await work(database)
    await database.close()


class _Dying:
    """Dies at one step of one migration."""

    def __init__(self, migration: Migration, step: int) -> None:
        self.script = migration.script
        self._step = step

    def under(self, database: Database) -> Database:
        return _DyingStore(database, self)

    def come_to(self, step: int) -> None:
        if step == self._step:
            os.kill(os.getpid(), signal.SIGKILL)


class _DyingStore:
    """A store under which the process dies."""

    def __init__(self, database: Database, dying: _Dying) -> None:
        self._database = database
        self._dying = dying
        self.dialect = database.dialect
        self.in_order = database.in_order
        self.fetch = database.fetch
        self.execute = database.execute
        self.note = database.note
        self.transact = database.transact
        self.check_room = database.check_room
        self.find_damage = database.find_damage
        self.wait_failed = database.wait_failed
        self.close = database.close

    async def transact_long(self, work: Work[T]) -> T:
        last: list[int] = []

        async def mortal(tx: Transaction) -> T:
            return await work(_DyingTransaction(tx, self._dying, self.dialect, last))

        result = await self._database.transact_long(mortal)
        for step in last:
            self._dying.come_to(step + 1)
        return result


class _DyingTransaction:
    def __init__(self, tx: Transaction, dying: _Dying, engine: str, last: list[int]) -> None:
        self.fetch = tx.fetch
        self.fetch_each = tx.fetch_each
        self.lock = tx.lock
        self._tx = tx
        self._dying = dying
        self._engine = engine
        self._last = last

    async def execute(self, sql: str, *values: Value) -> int:
        if sql == self._dying.script:
            statements = pieces(self._engine, sql)
            for step, statement in enumerate(statements):
                self._dying.come_to(step)
                await self._tx.execute(statement)
            self._last.append(len(statements))
            return 0
        changed = await self._tx.execute(sql, *values)
        if self._last:  # the row that records it
            self._dying.come_to(self._last[0])
        return changed


def pieces(engine: str, script: str) -> list[str]:
    """Return the statements of a script, in order."""
    found: list[str] = []
    words = ""
    for line in script.splitlines(keepends=True):
        words += line
        if line.rstrip().endswith(";") and _is_whole(engine, words):
            found.append(words)
            words = ""
    assert not words.strip(), words
    return found


def _is_whole(engine: str, words: str) -> bool:
    if engine == "sqlite":
        return sqlite3.complete_statement(words)  # also of a trigger
    return words.count("$$") % 2 == 0
