"""Whether a PostgreSQL server gets rid of the rows that nobody sees any more.

A queue leaves many of them behind. Where they stay, because vacuum is off or some transaction may
still want to see them, each claim has to step over all of them.
"""

from typing import NamedTuple

from smarthost.database.engine import Database

_SWITCHES = """
SELECT CAST(current_setting('autovacuum') AS BOOLEAN),
       CAST(current_setting('track_counts') AS BOOLEAN),
       (SELECT min(relname) FROM pg_class
        WHERE relnamespace = to_regnamespace(quote_ident(current_schema())) AND relkind = 'r'
              AND EXISTS (SELECT FROM pg_options_to_table(reloptions)
                          WHERE option_name = 'autovacuum_enabled'
                                AND NOT CAST(option_value AS BOOLEAN)))"""

# Whoever may still see old rows of this database. Of other users' sessions the server tells when
# they began only those who may read its statistics; how many transactions ago, it tells all.
_OLDEST = """
SELECT what, coalesce(CAST(seconds AS BIGINT), 0), transactions FROM (
  SELECT 'the session ' || pid AS what,
         extract(epoch FROM clock_timestamp() - xact_start) AS seconds,
         greatest(age(backend_xmin), age(backend_xid)) AS transactions
  FROM pg_stat_activity
  WHERE (datname IS NULL OR datname = current_database()) AND pid <> pg_backend_pid()
        AND backend_type IS DISTINCT FROM 'autovacuum worker'
  UNION ALL
  SELECT 'the prepared transaction ' || gid, extract(epoch FROM clock_timestamp() - prepared),
         age(transaction)
  FROM pg_prepared_xacts WHERE database = current_database()
  UNION ALL
  SELECT 'the replication slot ' || slot_name, NULL, greatest(age(xmin), age(catalog_xmin))
  FROM pg_replication_slots) AS holding
WHERE transactions IS NOT NULL AND (seconds >= $1 OR transactions >= $2)
ORDER BY transactions DESC LIMIT 1"""

_DEAD = """
SELECT relname, n_live_tup, n_dead_tup FROM pg_stat_user_tables
WHERE schemaname = current_schema() AND n_dead_tup >= $1 AND n_dead_tup > n_live_tup
ORDER BY n_dead_tup DESC LIMIT 1"""

_AGE = """
SELECT greatest(age(datfrozenxid), mxid_age(datminmxid)) FROM pg_database
WHERE datname = current_database()"""


class Switches(NamedTuple):
    """Whether the server vacuums by itself."""

    autovacuum: bool
    track_counts: bool
    """Without it the server does not know where to."""
    table_without: str | None
    """One of this database's for which it is switched off."""


class Holding(NamedTuple):
    """What keeps old rows from being removed."""

    what: str
    seconds: int
    """For how long, as far as that is told; else 0."""
    transactions: int
    """How many have begun since."""


class Dead(NamedTuple):
    """A table with more dead rows than live ones."""

    table: str
    live: int
    dead: int


async def switches_of(database: Database) -> Switches:
    """Ask whether it vacuums. Raises `StoreUnavailableError`."""
    return Switches(*(await database.fetch(_SWITCHES))[0])


async def oldest_holding(database: Database, seconds: int, transactions: int) -> Holding | None:
    """Return what holds old rows for so long, or for so many transactions, if anything does.

    Raises `StoreUnavailableError`.
    """
    found = await database.fetch(_OLDEST, seconds, transactions)
    return Holding(*found[0]) if found else None


async def most_dead(database: Database, at_least: int) -> Dead | None:
    """Return the table with the most dead rows, of those with so many and more than live ones.

    Raises `StoreUnavailableError`.
    """
    found = await database.fetch(_DEAD, at_least)
    return Dead(*found[0]) if found else None


async def age_of(database: Database) -> int:
    """Return how many transactions ago rows were last frozen; at 2 thousand million it stops.

    Raises `StoreUnavailableError`.
    """
    return int((await database.fetch(_AGE))[0][0])
