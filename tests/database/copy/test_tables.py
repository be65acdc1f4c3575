"""The tables are found in the schema: all, the same on both engines, in a possible order."""

from pathlib import Path

import apsw
import pytest

from smarthost.database.copy.tables import NOT_COPIED, Table, tables_of
from smarthost.database.migrate import migrations
from tests.engines import columns, migrated_database

KEYS = """
SELECT c.conrelid::regclass::text, array_agg(a.attname ORDER BY array_position(c.conkey, a.attnum))
FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
WHERE c.contype = 'p' AND c.connamespace = to_regnamespace('public')
GROUP BY c.conrelid, c.conkey"""
OCTETS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND data_type = 'bytea'"""
NUMBERED = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND is_identity = 'YES'"""
REFERENCES = """
SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND connamespace = to_regnamespace('public')"""


@pytest.fixture(scope="module")
def tables() -> tuple[Table, ...]:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE schema_migrations (version INTEGER NOT NULL PRIMARY KEY)")
    for migration in migrations("sqlite"):
        connection.execute(migration.script)
    found = tables_of(connection)
    connection.close()
    return found


@pytest.mark.needs("postgres")
async def test_a_server_has_the_same_tables_columns_and_keys(
    tables: tuple[Table, ...], tmp_path: Path
) -> None:
    async with migrated_database("postgresql", tmp_path) as database:
        theirs = {pair for pair in await columns(database) if pair[0] not in NOT_COPIED}
        keys = {row[0]: tuple(row[1]) for row in await database.fetch(KEYS)}
        octets = set(await database.fetch(OCTETS))
        numbered = set(await database.fetch(NUMBERED))
        references = set(await database.fetch(REFERENCES))
    assert {(one.name, column) for one in tables for column in one.columns} == theirs
    assert {one.name: one.key for one in tables} == {
        name: key for name, key in keys.items() if name not in NOT_COPIED
    }
    assert {(one.name, column) for one in tables for column in one.octets} == octets
    assert {(one.name, one.number) for one in tables if one.number} == numbered
    assert {(one.name, other) for one in tables for other in one.refers_to} == references


def test_each_table_comes_behind_those_that_it_refers_to(tables: tuple[Table, ...]) -> None:
    done: set[str] = set()
    for table in tables:
        assert table.refers_to <= done, table.name
        done.add(table.name)
    assert len(done) == len(tables) > 20
