"""The tables of an installation, as its own file describes them.

They are read from the schema and stand in no list, so that a table of a later migration is copied
without anybody thinking of it.
"""

from collections.abc import Iterable
from graphlib import TopologicalSorter

import apsw
import msgspec

# What the engine keeps for itself, in each store its own.
NOT_COPIED = frozenset({"schema_migrations"})

_TABLES = """
SELECT name FROM sqlite_schema
WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"""
_COLUMNS = "SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid"
_REFERENCES = 'SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)'


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table, the same on both engines but for the types of its columns."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    """The columns of the primary key, in its order."""
    octets: frozenset[str]
    """The columns that hold octets and no text."""
    number: str | None
    """The key, where that is one whole number, which PostgreSQL may give by itself."""
    refers_to: frozenset[str]
    """Other tables whose rows have to be there first."""


def tables_of(connection: apsw.Connection) -> tuple[Table, ...]:
    """Return all tables but `NOT_COPIED`, each behind those that it refers to."""
    names = [str(row[0]) for row in connection.execute(_TABLES).fetchall()]
    return in_order(_table(connection, name) for name in names if name not in NOT_COPIED)


def in_order(tables: Iterable[Table]) -> tuple[Table, ...]:
    """Put each table behind those that it refers to."""
    by_name = {table.name: table for table in tables}
    sorter = TopologicalSorter({name: table.refers_to for name, table in by_name.items()})
    return tuple(by_name[name] for name in sorter.static_order())


def _table(connection: apsw.Connection, name: str) -> Table:
    columns = [
        (str(column), str(kind), int(str(place)))
        for column, kind, place in connection.execute(_COLUMNS, (name,)).fetchall()
    ]
    key = sorted((place, column, kind) for column, kind, place in columns if place)
    references = connection.execute(_REFERENCES, (name,)).fetchall()
    return Table(
        name=name,
        columns=tuple(column for column, _, _ in columns),
        key=tuple(column for _, column, _ in key),
        octets=frozenset(column for column, kind, _ in columns if kind == "BLOB"),
        number=key[0][1] if [kind for _, _, kind in key] == ["INTEGER"] else None,
        refers_to=frozenset(str(row[0]) for row in references) - {name},
    )


def quoted(names: Iterable[str]) -> str:
    """Return names as SQL takes them, parted by commas."""
    return ", ".join(f'"{name}"' for name in names)
