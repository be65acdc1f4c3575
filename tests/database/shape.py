"""What a store's tables are: every column, index, trigger and rule, as the engine tells them."""

from smarthost.database.engine import Database, Row

_TOLD = {
    "sqlite": (
        """
SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name <> 'schema_migrations'
ORDER BY 1, 2""",
    ),
    "postgresql": (
        """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace('public') AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY 1, 2""",
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        """
SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1""",
        """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = to_regnamespace('public') ORDER BY 1, 2""",
        """
SELECT proname, prosrc FROM pg_proc WHERE pronamespace = to_regnamespace('public')
ORDER BY 1""",
    ),
}
_COLUMNS = {
    "sqlite": "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c"
    " WHERE t.type = 'table' ORDER BY 1, c.cid",
    "postgresql": "SELECT c.relname, a.attname FROM pg_class c"
    " JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relkind = 'r' AND a.attnum > 0"
    " AND NOT a.attisdropped AND c.relnamespace = to_regnamespace('public')"
    " ORDER BY 1, a.attnum",
}

Rows = dict[str, tuple[list[str], list[Row]]]
"""Of each table: the columns that were there, and what was in them."""


async def shape_of(database: Database) -> list[list[Row]]:
    """Return all that makes two stores' tables the same."""
    return [await database.fetch(sql) for sql in _TOLD[database.dialect]]


async def rows_of(database: Database) -> Rows:
    """Return everything that is in a store but its migrations."""
    columns: dict[str, list[str]] = {}
    for table, column in await database.fetch(_COLUMNS[database.dialect]):
        if table != "schema_migrations":
            columns.setdefault(table, []).append(column)
    return {
        table: (names, await _rows(database, table, names)) for table, names in columns.items()
    }


async def lost(database: Database, before: Rows) -> list[str]:
    """Return the names of tables in which not everything is as it was."""
    return [
        table
        for table, (names, rows) in before.items()
        if await _rows(database, table, names) != rows
    ]


async def _rows(database: Database, table: str, names: list[str]) -> list[Row]:
    return sorted(await database.fetch(f"SELECT {', '.join(names)} FROM {table}"), key=repr)
