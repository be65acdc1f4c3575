"""What `doctor` says of a PostgreSQL server: its version, its settings, its way and its clock."""

from smarthost.app.doctor_nodes import check_nodes
from smarthost.app.doctor_schema import check_schema
from smarthost.app.doctor_session import check_session
from smarthost.app.doctor_standbys import check_standbys
from smarthost.app.doctor_vacuum import check_vacuum
from smarthost.app.finding import Finding, bad, good
from smarthost.app.opening import UNFINISHED_COPY
from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.copy.mark import is_unfinished
from smarthost.database.engine import Database
from smarthost.database.postgresql_standing import (
    Rights,
    Standing,
    changed_collation,
    rights_of,
    standing_of,
)
from smarthost.secret import Secret

_SLOW_MICROSECONDS = 20_000
_APART_SECONDS = 5


async def check_server_database(database: Database) -> Finding:
    """Look at the version of the tables. Raises `StoreUnavailableError`."""
    if damage := await database.find_damage():
        return bad("database", f"The database is damaged ({damage}). Restore it from a back-up.")
    if await is_unfinished(database):
        return bad("database", UNFINISHED_COPY)
    return await check_schema(database, "The database", "reached")


async def check_server(database: Database, url: Secret, clock: Clock) -> list[Finding]:
    """Look at the server itself, and at the way to it. Raises `StoreUnavailableError`."""
    await standing_of(database)  # the first one connects
    before = clock.now()
    standing = await standing_of(database)
    took = clock.now() - before
    return [
        _settings(standing),
        _way(took),
        *await check_session(database, url),
        await check_standbys(database, url),
        _rights(await rights_of(database)),
        await check_collation(database, standing.major),
        _clocks(standing.now - (before + took // 2)),
        *await check_vacuum(database),
    ]


async def check_use(database: Database) -> list[Finding]:
    """Look at who works on the database, once it has tables. Raises `StoreUnavailableError`."""
    return await check_nodes(database)


def _settings(standing: Standing) -> Finding:
    named = f"PostgreSQL {standing.version}, {standing.size}"
    if not standing.full_page_writes:
        return bad(
            "server",
            f"{named}: full_page_writes is off. Unless its file system writes whole pages, a "
            "power cut can damage it.",
        )
    return good("server", f"{named}; what it confirms is on its disk.")


def _way(took: int) -> Finding:
    words = f"A question is answered after {took / 1000:.1f} ms."
    if took > _SLOW_MICROSECONDS:
        words = f"{words} A message asks thirty to forty on its way: bring the server nearer."
        return bad("way to the server", words)
    return good("way to the server", words)


def _rights(rights: Rights) -> Finding:
    """Say whether the user may do what a new version does to the tables."""
    if not rights.may_create:
        where = f"schema {rights.schema}" if rights.schema else "any schema of its search_path"
        return bad(
            "rights",
            f"The user {rights.user} may not create tables in {where}, which a new version does. "
            f"Type, as the owner: GRANT CREATE ON SCHEMA {rights.schema or 'public'} TO "
            f'"{rights.user}"',
        )
    if rights.foreign_table is not None:
        return bad(
            "rights",
            f"The table {rights.foreign_table} is not {rights.user}'s, so no new version can "
            "change it. Type, as its owner: REASSIGN OWNED BY CURRENT_USER TO "
            f'"{rights.user}"',
        )
    return good("rights", f"The user {rights.user} owns the tables and may make others.")


async def check_collation(database: Database, major: int) -> Finding:
    """Look whether the system sorts text as when indexes were made of it.

    `major` is the server's version. Raises `StoreUnavailableError`.
    """
    changed = await changed_collation(database, major)
    if changed is None:
        return good("order of text", "It is the one that indexes were made with.")
    name = changed.database
    return bad(
        "order of text",
        f"The server's system sorts as of version {changed.actual}; indexes were made with "
        f'{changed.made_with} and may miss rows. Type: REINDEX DATABASE "{name}"; then: ALTER '
        f'DATABASE "{name}" REFRESH COLLATION VERSION',
    )


def _clocks(ahead: int) -> Finding:
    seconds = abs(ahead) / MICROSECONDS
    if seconds > _APART_SECONDS:
        return bad(
            "server's clock",
            f"The server's clock and this machine's are {seconds:.0f} seconds apart. Start the "
            "NTP client of both.",
        )
    return good("server's clock", "The server's clock and this machine's agree.")
