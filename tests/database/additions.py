"""What a migration may do to tables that the version before goes on using, as far as it shows.

`docs/decisions/0010-two-versions-at-once.md` has the whole rule.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from smarthost.database.engine import Row, Value

_COLUMNS = {
    "sqlite": """
SELECT t.name, c.name, c.type, c."notnull" AND c.dflt_value IS NULL
FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'""",
    "postgresql": """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace('public') AND a.attnum > 0
  AND NOT a.attisdropped""",
}
_UNIQUE = {
    "sqlite": """
SELECT t.name, i.name, c.name FROM sqlite_schema t JOIN pragma_index_list(t.name) i
JOIN pragma_index_info(i.name) c WHERE t.type = 'table' AND i."unique" """,
    "postgresql": """
SELECT t.relname, i.relname, a.attname FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_attribute a ON a.attrelid = i.oid
WHERE x.indisunique AND t.relnamespace = to_regnamespace('public')""",
}


class Readable(Protocol):
    """A store, or a transaction in the middle."""

    async def fetch(self, sql: str, *values: Value) -> list[Row]: ...


class Column(NamedTuple):
    """What an older program relies on."""

    type: str
    is_needed: bool
    """Whoever inserts a row has to give a value."""


class Known(NamedTuple):
    """What a program knows of a store."""

    columns: Mapping[tuple[str, str], Column]
    unique: frozenset[tuple[str, frozenset[str]]]
    """Tables, and columns of which no two rows may have the same."""


async def known_of(store: Readable, engine: str) -> Known:
    """Return what a program would know that was made for this store."""
    columns = await store.fetch(_COLUMNS[engine])
    together: dict[tuple[str, str], set[str]] = {}
    for table, index, column in await store.fetch(_UNIQUE[engine]):
        together.setdefault((table, index), set()).add(column)
    return Known(
        columns={(table, name): Column(kind, bool(need)) for table, name, kind, need in columns},
        unique=frozenset((table, frozenset(names)) for (table, _), names in together.items()),
    )


def faults(before: Known, after: Known) -> Iterator[str]:
    """Tell what a program that knows `before` would stumble over."""
    tables = {table for table, _ in before.columns}
    for (table, name), column in before.columns.items():
        now = after.columns.get((table, name))
        if now is None:
            yield f"{table}.{name} is gone"
        elif now.type != column.type:
            yield f"{table}.{name} was {column.type} and is {now.type}"
    for (table, name), column in after.columns.items():
        was = before.columns.get((table, name))
        if table in tables and column.is_needed and not (was and was.is_needed):
            yield f"{table}.{name} has to be given"
    for table, names in after.unique - before.unique:
        if table in tables and all((table, name) in before.columns for name in names):
            yield f"{table} may not have the same {', '.join(sorted(names))} twice"
