"""Brings a store's tables to the form that this program knows.

Each migration is one file of SQL in `migrations/`, named `<number>_<what>.<dialect>.sql`, and runs
in one transaction together with the row that records it: a kill in the middle leaves the last
whole one. Files are never changed after a release, and a number means the same on both engines.
What one may do while an older program runs is `docs/decisions/0010-two-versions-at-once.md`.
"""

from collections.abc import Sequence
from importlib import resources

import msgspec
import structlog

from smarthost.clock import Clock
from smarthost.database.engine import (
    Database,
    StoreBusyError,
    StoreUnavailableError,
    T,
    Transaction,
    Work,
)

log = structlog.get_logger("smarthost.database")

_PAUSE_SECONDS = 1.0
_TELL_SECONDS = 30.0

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at BIGINT NOT NULL
)"""
HAS_LEDGER = {
    "sqlite": "SELECT 1 FROM sqlite_schema WHERE name = 'schema_migrations'",
    "postgresql": "SELECT 1 WHERE to_regclass('schema_migrations') IS NOT NULL",
}
VERSION = "SELECT coalesce(max(version), 0) FROM schema_migrations"


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One step from a schema version to the next."""

    version: int
    name: str
    script: str


def migrations(dialect: str) -> list[Migration]:
    """Return the migrations that ship with this program, oldest first."""
    folder = resources.files("smarthost.database") / "migrations"
    ending = f".{dialect}.sql"
    found = [
        _read(file.name.removesuffix(ending), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(ending)
    ]
    return sorted(found, key=lambda migration: migration.version)


def _read(stem: str, script: str) -> Migration:
    number, _, name = stem.partition("_")
    return Migration(version=int(number), name=name, script=script)


async def migrate(
    database: Database, clock: Clock, known: Sequence[Migration] | None = None
) -> int:
    """Apply what is missing and return the number of migrations applied.

    `known` are those of the program, by default the ones that ship with it. Several processes may
    do this at once: each migration's transaction looks again whether it is still missing. Others
    that keep a table locked are waited for, and the log says so. Cancelled, it leaves the last
    whole one. Raises `StoreUnavailableError` when the store is of a newer program.
    """
    known = migrations(database.dialect) if known is None else known
    newest = await _patiently(database, clock, _newest)
    if newest > known[-1].version:
        raise StoreUnavailableError(
            f"The database has schema version {newest}; this program knows up to "
            f"{known[-1].version}. Start the newer Smarthost that made it."
        )
    applied = 0
    for migration in known[newest:]:
        if newest:  # making tables takes no time
            log.info(
                "upgrading the tables",
                migration=migration.name,
                version=migration.version,
                of=known[-1].version,
            )
        applied += await _patiently(database, clock, _applying(migration, clock.now()))
    if newest and applied:
        log.info("tables upgraded", before=newest, version=known[-1].version)
    return applied


async def schema_version(database: Database) -> int | None:
    """Return the version of the store's tables, None if it has none at all; change nothing."""
    if not await database.fetch(HAS_LEDGER[database.dialect]):
        return None
    return int((await database.fetch(VERSION))[0][0])


async def _newest(tx: Transaction) -> int:
    await tx.lock("schema_migrations")
    await tx.execute(_LEDGER)
    rows = await tx.fetch(VERSION)
    return int(rows[0][0])


def _applying(migration: Migration, now: int) -> Work[int]:
    async def work(tx: Transaction) -> int:
        if await _newest(tx) >= migration.version:
            return 0
        await tx.execute(migration.script)
        return await tx.execute(
            "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)",
            migration.version,
            migration.name,
            now,
        )

    return work


async def _patiently(database: Database, clock: Clock, work: Work[T]) -> T:
    """Do `work` as soon as nobody is in its way: another process may be at it for an hour."""
    began = clock.monotonic()
    tell_at = began
    while True:
        try:
            return await database.transact_long(work)
        except StoreBusyError as error:
            now = clock.monotonic()
            if now >= tell_at:
                tell_at = now + _TELL_SECONDS
                log.warning(
                    "waiting for the tables", reason=str(error), seconds=round(now - began)
                )
        await clock.sleep(_PAUSE_SECONDS)
