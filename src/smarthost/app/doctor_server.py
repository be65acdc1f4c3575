"""What `doctor` says of a PostgreSQL server: its version, its settings, its way and its clock."""

from smarthost.app.finding import Finding, bad, good
from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import Database
from smarthost.database.migrate import migrations, schema_version
from smarthost.database.postgresql_connections import AT_ONCE
from smarthost.database.postgresql_standing import Standing, standing_of

_SLOW_MICROSECONDS = 20_000
_APART_SECONDS = 5


async def check_server_database(database: Database) -> Finding:
    """Look at the version of the tables. Raises `StoreUnavailableError`."""
    if damage := await database.find_damage():
        return bad("database", f"The database is damaged ({damage}). Restore it from a back-up.")
    version = await schema_version(database)
    if version is None:
        return bad("database", "The database has no tables. `smarthost init` makes them.")
    known = migrations(database.dialect)[-1].version
    if version > known:
        words = f"The database has schema version {version}; this program knows up to {known}."
        return bad("database", f"{words} Start the newer Smarthost that made it.")
    if version < known:
        words = f"The database has schema version {version}; this program needs {known}."
        return bad("database", f"{words} `smarthost serve` brings it there.")
    return good("database", f"The database is reached, with schema version {version}.")


async def check_server(database: Database, clock: Clock) -> list[Finding]:
    """Look at the server itself. Raises `StoreUnavailableError`."""
    await standing_of(database)  # the first one connects
    before = clock.now()
    standing = await standing_of(database)
    took = clock.now() - before
    return [
        _settings(standing),
        _way(took),
        _clocks(standing.now - (before + took // 2)),
    ]


def _settings(standing: Standing) -> Finding:
    named = f"PostgreSQL {standing.version}, {standing.size}"
    if standing.full_page_writes != "on":
        return bad(
            "server",
            f"{named}: full_page_writes is off. Unless its file system writes whole pages, a "
            "power cut can damage it.",
        )
    if standing.max_connections < 2 * AT_ONCE:
        return bad(
            "server",
            f"{named}: max_connections is {standing.max_connections}. Each process of Smarthost "
            f"takes up to {AT_ONCE + 1}.",
        )
    return good("server", f"{named}; what it confirms is on its disk.")


def _way(took: int) -> Finding:
    words = f"A question is answered after {took / 1000:.1f} ms."
    if took > _SLOW_MICROSECONDS:
        return bad("way to the server", f"{words} Each message asks some thirty: bring it nearer.")
    return good("way to the server", words)


def _clocks(ahead: int) -> Finding:
    seconds = abs(ahead) / MICROSECONDS
    if seconds > _APART_SECONDS:
        return bad(
            "server's clock",
            f"The server's clock and this machine's are {seconds:.0f} seconds apart. Start the "
            "NTP client of both.",
        )
    return good("server's clock", "The server's clock and this machine's agree.")
