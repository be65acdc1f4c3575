"""How a PostgreSQL server stands, for whoever looks an installation over.

What would lose mail is refused when a connection is made; here is what an operator should know
besides. All of it is asked of the server's own views, which every user may read.
"""

from typing import NamedTuple

from smarthost.database.engine import Database

_STANDING = """
SELECT current_setting('server_version'),
       CAST(current_setting('server_version_num') AS INTEGER) / 10000,
       CAST(current_setting('full_page_writes') AS BOOLEAN),
       CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT),
       pg_size_pretty(pg_database_size(current_database()))"""

# The least of what the server, the database and the user are allowed. A superuser's reserve is
# nobody else's; of those that are connected, Smarthost's own are counted by its nodes.
_ROOM = """
SELECT least(
         CAST(current_setting('max_connections') AS INTEGER)
           - CAST(current_setting('superuser_reserved_connections') AS INTEGER)
           - CAST(coalesce(current_setting('reserved_connections', true), '0') AS INTEGER),
         (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),
         (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user)),
       (SELECT count(*) FROM pg_stat_activity
        WHERE usesysid IS NOT NULL AND application_name <> 'smarthost'
          AND application_name NOT LIKE 'smarthost %')"""

_RIGHTS = """
SELECT current_user, coalesce(current_schema(), ''),
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
       (SELECT min(relname) FROM pg_class
        WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))
              AND relkind IN ('r', 'p') AND NOT pg_has_role(relowner, 'USAGE')
              AND NOT EXISTS (SELECT FROM pg_depend
                              WHERE classid = CAST('pg_class' AS regclass) AND objid = pg_class.oid
                                    AND deptype = 'e'))"""

# Versions before 15 keep none for a database.
_COLLATION = """
SELECT datname, datcollversion, pg_database_collation_actual_version(oid) FROM pg_database
WHERE datname = current_database()
      AND datcollversion <> pg_database_collation_actual_version(oid)"""
_FIRST_WITH_COLLATION = 15


class Standing(NamedTuple):
    """What the server says of itself."""

    version: str
    major: int
    full_page_writes: bool
    now: int
    """Its clock; microseconds since 1970, UTC."""
    size: str
    """Of the database, with a unit."""


class Room(NamedTuple):
    """How many connections there may be."""

    usable: int
    """By this user to this database, all nodes together."""
    others: int
    """Those to the server that are not Smarthost's."""


class Rights(NamedTuple):
    """What the user may do."""

    user: str
    schema: str
    """Where new tables go; empty: nowhere."""
    may_create: bool
    foreign_table: str | None
    """One there that is another user's."""


class Collation(NamedTuple):
    """In which order indexes of text were made, and in which the system sorts now."""

    database: str
    made_with: str
    actual: str


async def standing_of(database: Database) -> Standing:
    """Ask a PostgreSQL server. Raises `StoreUnavailableError`."""
    return Standing(*(await database.fetch(_STANDING))[0])


async def room_of(database: Database) -> Room:
    """Ask how many connections there may be. Raises `StoreUnavailableError`."""
    return Room(*(await database.fetch(_ROOM))[0])


async def rights_of(database: Database) -> Rights:
    """Ask what the user may do. Raises `StoreUnavailableError`."""
    return Rights(*(await database.fetch(_RIGHTS))[0])


async def changed_collation(database: Database, major: int) -> Collation | None:
    """Return how the order of text has changed since the database was made, None if not.

    `major` is the server's version. Raises `StoreUnavailableError`.
    """
    if major < _FIRST_WITH_COLLATION:
        return None
    found = await database.fetch(_COLLATION)
    return Collation(*found[0]) if found else None
