"""How a PostgreSQL server stands, for whoever looks an installation over.

What would lose mail is refused when a connection is made; here is what an operator should know
besides.
"""

from typing import NamedTuple

from smarthost.database.engine import Database

_STANDING = """
SELECT current_setting('server_version'), current_setting('full_page_writes'),
       CAST(current_setting('max_connections') AS INTEGER),
       CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT),
       pg_size_pretty(pg_database_size(current_database()))"""


class Standing(NamedTuple):
    """What the server says of itself."""

    version: str
    full_page_writes: str
    """`on` or `off`."""
    max_connections: int
    now: int
    """Its clock; microseconds since 1970, UTC."""
    size: str
    """Of the database, with a unit."""


async def standing_of(database: Database) -> Standing:
    """Ask a PostgreSQL server. Raises `StoreUnavailableError`."""
    return Standing(*(await database.fetch(_STANDING))[0])
