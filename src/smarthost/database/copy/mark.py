"""The mark of a copy: a table in the server's database that says what is being copied there.

It is made before the first row and stays. A copy that is not finished must be opened by nobody;
one that was finished must not be begun anew, since somebody may be using it. What was copied
counts for a later run only while the source is as it was.
"""

import msgspec

from smarthost.database.engine import Database, Transaction

_HAS_MARK = "SELECT 1 WHERE to_regclass('copy_mark') IS NOT NULL"
_MAKE_MARK = """
CREATE TABLE copy_mark (
    source TEXT NOT NULL, stamp TEXT NOT NULL, begun_at BIGINT NOT NULL, finished_at BIGINT
)"""
_READ_MARK = "SELECT source, stamp, finished_at FROM copy_mark"
_SET_MARK = "INSERT INTO copy_mark (source, stamp, begun_at) VALUES ($1, $2, $3)"
_SET_STAMP = "UPDATE copy_mark SET stamp = $1, begun_at = $2"
_SPOIL = "UPDATE copy_mark SET stamp = ''"
_FINISH = "UPDATE copy_mark SET finished_at = $1"


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of a copy."""

    source: str
    """Which installation is copied: `Source.birth`."""
    stamp: str
    """The source as it was when this was begun: `Source.stamp`; empty: nothing counts."""
    finished_at: int | None
    """Microseconds since 1970, UTC."""


async def read_mark(store: Database | Transaction) -> Mark | None:
    """Return what a server's database says of itself; None: nothing was copied there."""
    if not await store.fetch(_HAS_MARK):
        return None
    source, stamp, finished_at = (await store.fetch(_READ_MARK))[0]
    return Mark(source=source, stamp=stamp, finished_at=finished_at)


async def is_unfinished(database: Database) -> bool:
    """Whether a store holds a part of an installation. Raises `StoreUnavailableError`."""
    if database.dialect == "sqlite":
        return False  # nothing is copied there
    mark = await read_mark(database)
    return mark is not None and mark.finished_at is None


async def make_mark(tx: Transaction, source: str, stamp: str, now: int) -> None:
    """Say that a copy is begun, in a database without a mark."""
    await tx.execute(_MAKE_MARK)
    await tx.execute(_SET_MARK, source, stamp, now)


async def set_stamp(tx: Transaction, stamp: str, now: int) -> None:
    """Say that the copy is begun anew, of the source as it is by now."""
    await tx.execute(_SET_STAMP, stamp, now)


async def spoil_mark(tx: Transaction) -> None:
    """Say that nothing of what was copied counts."""
    await tx.execute(_SPOIL)


async def finish_mark(tx: Transaction, now: int) -> None:
    """Say that all is there and was compared."""
    await tx.execute(_FINISH, now)
