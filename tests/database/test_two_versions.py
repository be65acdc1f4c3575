"""A migration adds: the version before goes on with what it knows, while nodes are upgraded."""

from pathlib import Path

import pytest

from smarthost.database.engine import Database, Transaction
from smarthost.database.migrate import migrate, migrations
from tests.clocks import FakeClock
from tests.database.additions import faults, known_of
from tests.engines import ENGINES, migrated_database, open_database

FIRST_BOUND = 14
"""Before this one nothing was released."""

ADDITIONS = (
    "ALTER TABLE portals ADD COLUMN more TEXT",
    "ALTER TABLE portals ADD COLUMN more INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE more (id TEXT NOT NULL PRIMARY KEY)",
    "CREATE INDEX more ON users (email)",
    "DROP INDEX recipients_held",
    "ALTER TABLE portals ADD COLUMN more TEXT; CREATE UNIQUE INDEX m ON portals (id, more)",
)
WRONG = (
    ("DROP TABLE last_tests", "last_tests.portal_id is gone"),
    ("ALTER TABLE portals RENAME COLUMN name TO title", "portals.name is gone"),
    ("ALTER TABLE portals RENAME TO tenants", "portals.name is gone"),
    ("ALTER TABLE queue_turns DROP COLUMN last_sent_at", "queue_turns.last_sent_at is gone"),
    ("CREATE UNIQUE INDEX more ON users (email)", "users may not have the same email twice"),
)
WRONG_THERE = (
    ("ALTER TABLE portals ADD COLUMN more TEXT NOT NULL", "portals.more has to be given"),
    ("ALTER TABLE users ALTER password_hash SET NOT NULL", "users.password_hash has to be given"),
    (
        "ALTER TABLE queue_turns ALTER node_until DROP DEFAULT",
        "queue_turns.node_until has to be given",
    ),
    ("ALTER TABLE users ALTER created_at TYPE TEXT", "users.created_at was bigint and is text"),
)
"""SQLite knows none of these."""


class _TakenBackError(Exception):
    """So that the store stays as it was."""


async def told(database: Database, script: str) -> list[str]:
    """Return what is told of a migration that would come next."""
    found: list[str] = []

    async def work(tx: Transaction) -> None:
        before = await known_of(tx, database.dialect)
        await tx.execute(script)
        found.extend(faults(before, await known_of(tx, database.dialect)))
        raise _TakenBackError

    with pytest.raises(_TakenBackError):
        await database.transact(work)
    return found


@pytest.mark.parametrize("engine", ENGINES)
async def test_every_migration_only_adds(engine: str, tmp_path: Path) -> None:
    steps = migrations(engine)
    database = open_database(engine, tmp_path)
    await migrate(database, FakeClock(), steps[: FIRST_BOUND - 1])
    before = await known_of(database, engine)
    for last in range(FIRST_BOUND, len(steps) + 1):
        await migrate(database, FakeClock(), steps[:last])
        after = await known_of(database, engine)
        assert list(faults(before, after)) == [], steps[last - 1].name
        before = after
    await database.close()


@pytest.mark.parametrize("engine", ENGINES)
async def test_additions_are_fine(engine: str, tmp_path: Path) -> None:
    async with migrated_database(engine, tmp_path) as database:
        for script in ADDITIONS:
            assert await told(database, script) == [], script


@pytest.mark.parametrize("engine", ENGINES)
async def test_what_the_version_before_would_stumble_over_is_seen(
    engine: str, tmp_path: Path
) -> None:
    async with migrated_database(engine, tmp_path) as database:
        for script, words in (*WRONG, *(WRONG_THERE if engine == "postgresql" else ())):
            assert words in await told(database, script), script
