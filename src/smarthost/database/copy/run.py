"""The copy itself: begun, gone on with, compared, finished; killed at any point it can go on.

Rows go over in the order of each table's key, some thousands in one transaction. So the number of
rows that a table has on the server says how many of the source's are done, and needs no ledger.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from smarthost.clock import Clock, moment
from smarthost.database.copy.fingerprint import Fingerprint, with_hashed_octets
from smarthost.database.copy.mark import (
    Mark,
    finish_mark,
    make_mark,
    read_mark,
    set_stamp,
    spoil_mark,
)
from smarthost.database.copy.model import Compared, Copied, Progress, Show, TargetTakenError
from smarthost.database.copy.source import Source, opened_source
from smarthost.database.copy.tables import Table, quoted
from smarthost.database.copy.target import Target, opened_target
from smarthost.database.engine import Transaction
from smarthost.database.migrate import migrate
from smarthost.database.postgresql import PostgresqlDatabase

ROWS_AT_ONCE = 5_000
"""How many rows share a commit at the most."""

_HAS_TABLE = "SELECT 1 WHERE to_regclass($1) IS NOT NULL"


async def copy(
    path: Path,
    database: PostgresqlDatabase,
    clock: Clock,
    show: Show,
    *,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Copied:
    """Copy the SQLite file `path` into a server's database that is empty, or go on with that.

    The file is only read. A table that differs at the end is told; the next run begins anew then.
    Raises `SourceInUseError`, `SourceNotReadyError`, `TargetTakenError`, `StoreUnavailableError`.
    """
    with opened_source(path) as source:
        async with opened_target(database) as target:
            finished_at = await _begin(source, database, clock)
            if finished_at is not None:
                return _already(database, finished_at)
            steps = _Steps(source, target, show, rows_at_once)
            rows = await steps.copy()
            tables = await steps.compare()
            finished_at = await _finish(source, target, database, clock, tables)
    return Copied(
        target=database.name, finished_at=finished_at, already=False, rows=rows, tables=tables
    )


def _already(database: PostgresqlDatabase, finished_at: int) -> Copied:
    return Copied(target=database.name, finished_at=finished_at, already=True, rows=0, tables=())


async def _begin(source: Source, database: PostgresqlDatabase, clock: Clock) -> int | None:
    """Make the database ready; return when it was finished, if it is.

    What somebody else has there is not even brought to a newer form.
    """
    mark = await read_mark(database)
    if mark is None:
        await database.transact(_refusing_rows(source, database.name))
    else:
        _refuse_others(mark, source, database.name)
        if mark.finished_at is not None:
            return mark.finished_at
        if mark.stamp != source.stamp:
            await database.transact_long(_emptying(source))
    await migrate(database, clock)
    await database.transact(_marking(source, database.name, clock.now()))
    return None


def _refuse_others(mark: Mark, source: Source, name: str) -> None:
    if mark.source != source.birth:
        raise TargetTakenError(f"{name} holds a copy of another installation. {_MAKE_ANOTHER}")
    if mark.finished_at is not None and mark.stamp != source.stamp:
        when = moment(mark.finished_at).isoformat(timespec="seconds")
        raise TargetTakenError(
            f"{name} holds a copy of this installation that was finished at {when} and may be in "
            f"use; the file was written since. {_MAKE_ANOTHER}"
        )


_MAKE_ANOTHER = "Name an empty database; createdb makes one."

Unit = Callable[[Transaction], Awaitable[None]]


def _refusing_rows(source: Source, name: str) -> Unit:
    async def work(tx: Transaction) -> None:
        for table in await _there(tx, source):
            if await tx.fetch(f"SELECT 1 FROM {quoted([table.name])} LIMIT 1"):
                raise TargetTakenError(f"{name} holds an installation already. {_MAKE_ANOTHER}")

    return work


def _emptying(source: Source) -> Unit:
    """Remove what was copied of a source that is not the same any more."""

    async def work(tx: Transaction) -> None:
        await spoil_mark(tx)
        if there := await _there(tx, source):
            names = quoted(table.name for table in there)
            await tx.execute(f"TRUNCATE {names} RESTART IDENTITY")

    return work


def _marking(source: Source, name: str, now: int) -> Unit:
    async def work(tx: Transaction) -> None:
        mark = await read_mark(tx)
        if mark is None:
            await _refusing_rows(source, name)(tx)
            await make_mark(tx, source.birth, source.stamp, now)
        elif mark.stamp != source.stamp:
            await set_stamp(tx, source.stamp, now)

    return work


async def _there(tx: Transaction, source: Source) -> list[Table]:
    return [table for table in source.tables if await tx.fetch(_HAS_TABLE, quoted([table.name]))]


async def _finish(
    source: Source,
    target: Target,
    database: PostgresqlDatabase,
    clock: Clock,
    tables: tuple[Compared, ...],
) -> int | None:
    """Say in the database whether it can be opened; return since when."""
    if not all(table.alike for table in tables):
        await database.transact(spoil_mark)
        return None
    await target.settle(source.tables)
    now = clock.now()

    async def work(tx: Transaction) -> None:
        await finish_mark(tx, now)

    await database.transact(work)
    return now


class _Tally(msgspec.Struct, kw_only=True):
    """How much of the whole work is done: each row is copied, and read once on each side."""

    done: int
    of: int


class _Steps:
    """Goes through all tables, and shows how far it is."""

    def __init__(self, source: Source, target: Target, show: Show, rows_at_once: int) -> None:
        self._source = source
        self._target = target
        self._show = show
        self._rows_at_once = rows_at_once
        self._counts = {table.name: source.count(table) for table in source.tables}
        self._tally = _Tally(done=0, of=max(1, 3 * sum(self._counts.values())))

    async def copy(self) -> int:
        """Write what is missing; return how many rows that were."""
        written = 0
        for table in self._source.tables:
            there = await self._target.count(table)
            self._tell(table, there, there)
            for batch in self._source.batches(table, there, self._rows_at_once):
                await self._target.put(table, batch)
                written += len(batch)
                there += len(batch)
                self._tell(table, len(batch), there)
        return written

    async def compare(self) -> tuple[Compared, ...]:
        """Read both sides from beginning to end."""
        return tuple([await self._compare(table) for table in self._source.tables])

    async def _compare(self, table: Table) -> Compared:
        ours, theirs = Fingerprint(), Fingerprint()
        for batch in self._source.batches(table, 0, self._rows_at_once):
            ours.add(map(with_hashed_octets, batch))
            self._tell(table, len(batch), ours.rows // 2, comparing=True)
            await asyncio.sleep(0)  # for Ctrl-C
        async for batch in self._target.batches(table):
            theirs.add(batch)
            self._tell(table, len(batch), (ours.rows + theirs.rows) // 2, comparing=True)
        return Compared(
            table=table.name,
            rows=ours.rows,
            sha256=ours.sha256,
            alike=(ours.rows, ours.sha256) == (theirs.rows, theirs.sha256),
        )

    def _tell(self, table: Table, more: int, rows: int, *, comparing: bool = False) -> None:
        self._tally.done += more
        progress = Progress(
            comparing=comparing,
            table=table.name,
            rows=rows,
            of=self._counts[table.name],
            share=min(1.0, self._tally.done / self._tally.of),
        )
        self._show(progress)
