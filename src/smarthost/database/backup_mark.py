"""The mark of a back-up: a table that is in the copy alone, and goes when the copy is opened.

What a store says is under way is not true of a back-up: it may have happened since. So whoever
opens one has to know. A live store never has the mark, and a copy loses it in the transaction
that draws the last of the consequences, so that nobody takes it for a live one before.
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
    # By the name alone the server may go on finding a table that another session has dropped.
    "postgresql": "SELECT 1 FROM pg_class WHERE oid = to_regclass('backup_mark')",
}
_REMOVE_MARK = "DROP TABLE backup_mark"


async def marked_at(database: Database) -> int | None:
    """Return when the back-up that this store is was taken; None: it is none.

    Microseconds since 1970, UTC.
    """
    if not await is_marked(database):
        return None

    async def work(tx: Transaction) -> int | None:
        return await mark_in(tx, database.dialect)

    return await database.transact(work)


async def is_marked(database: Database) -> bool:
    """Return whether this store is a back-up that nobody has seen to."""
    return bool(await database.fetch(_HAS_MARK[database.dialect]))


async def mark_in(tx: Transaction, dialect: str) -> int | None:
    """Return what the mark says, and keep others from it to the end of `tx`; None: it is gone."""
    await tx.lock("backup_mark")
    if not await tx.fetch(_HAS_MARK[dialect]):
        return None
    return int((await tx.fetch(READ_MARK))[0][0])


async def remove_mark(tx: Transaction) -> None:
    """Remove the mark, once all that follows from it has been done."""
    await tx.execute(_REMOVE_MARK)
