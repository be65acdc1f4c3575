"""The mark of a back-up: a table that is in the copy alone, and goes when the copy is opened.

What a store says is under way is not true of a back-up: it may have happened since. So whoever
opens one has to know. A live store never has the mark, and a copy loses it in the transaction
that draws the consequences, so that neither can be without the other.
"""

from smarthost.database.engine import Database, Transaction

MAKE_MARK = "CREATE TABLE IF NOT EXISTS backup_mark (taken_at BIGINT NOT NULL)"
# The copy of a copy that nobody has opened is as old as the first.
SET_MARK = """
INSERT INTO backup_mark (taken_at)
SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM backup_mark)"""
# What an operator types behind `pg_restore`, which leaves none.
MARK_NOW = "INSERT INTO backup_mark SELECT CAST(extract(epoch FROM now()) * 1000000 AS BIGINT)"
READ_MARK = "SELECT taken_at FROM backup_mark"

_HAS_MARK = {
    "sqlite": "SELECT 1 FROM sqlite_schema WHERE name = 'backup_mark'",
    "postgresql": "SELECT 1 WHERE to_regclass('backup_mark') IS NOT NULL",
}
_REMOVE_MARK = "DROP TABLE backup_mark"


async def marked_at(database: Database) -> int | None:
    """Return when the back-up that this store is was taken; None: it is none.

    Microseconds since 1970, UTC.
    """
    return await _read(database, database.dialect)


async def take_mark(tx: Transaction, dialect: str) -> int | None:
    """Remove the mark in `tx` and return what it said; None if another process was first."""
    await tx.lock("backup_mark")
    taken_at = await _read(tx, dialect)
    if taken_at is not None:
        await tx.execute(_REMOVE_MARK)
    return taken_at


async def _read(source: Database | Transaction, dialect: str) -> int | None:
    if not await source.fetch(_HAS_MARK[dialect]):
        return None
    return int((await source.fetch(READ_MARK))[0][0])
