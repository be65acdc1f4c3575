"""What `doctor` says of rows that nobody sees any more, and of what keeps them in a PostgreSQL."""

from smarthost.app.finding import Finding, bad, good
from smarthost.database.engine import Database
from smarthost.database.postgresql_vacuum import (
    Switches,
    age_of,
    most_dead,
    oldest_holding,
    switches_of,
)

_LONGEST_SECONDS = 30 * 60
_MOST_TRANSACTIONS = 1_000_000
_MANY_DEAD = 100_000
_OLD_AGE = 1_000_000_000
"""The server stops taking changes at twice as many; autovacuum begins at a fifth of them."""


async def check_vacuum(
    database: Database,
    *,
    longest_seconds: int = _LONGEST_SECONDS,
    many_dead: int = _MANY_DEAD,
    old_age: int = _OLD_AGE,
) -> list[Finding]:
    """Look at vacuum, and at what stands in its way. Raises `StoreUnavailableError`."""
    return [
        _switches(await switches_of(database)),
        await _holding(database, longest_seconds),
        await _dead(database, many_dead),
        await _age(database, old_age),
    ]


def _switches(switches: Switches) -> Finding:
    for name, is_on in (
        ("autovacuum", switches.autovacuum),
        ("track_counts", switches.track_counts),
    ):
        if not is_on:
            return bad(
                "autovacuum",
                f"{name} is off, so the queue gets slower and slower. Type: ALTER SYSTEM SET "
                f"{name} = on; then: SELECT pg_reload_conf()",
            )
    if switches.table_without is not None:
        name = switches.table_without
        return bad(
            "autovacuum",
            f"It is off for the table {name}, which gets slower and slower. Type: ALTER TABLE "
            f"{name} RESET (autovacuum_enabled)",
        )
    return good("autovacuum", "It is on.")


async def _holding(database: Database, longest_seconds: int) -> Finding:
    found = await oldest_holding(database, longest_seconds, _MOST_TRANSACTIONS)
    if found is None:
        return good("old transactions", "None keeps rows that are gone from being removed.")
    since = f"for {found.seconds // 60} minutes and " if found.seconds else "for "
    return bad(
        "old transactions",
        f"{found.what[0].upper()}{found.what[1:]} has kept rows that are gone from being removed, "
        f"{since}{found.transactions} transactions: the queue gets slower. End it: "
        "pg_terminate_backend, ROLLBACK PREPARED or pg_drop_replication_slot.",
    )


async def _dead(database: Database, many: int) -> Finding:
    found = await most_dead(database, many)
    if found is None:
        return good("dead rows", "Vacuum keeps up with them.")
    return bad(
        "dead rows",
        f"The table {found.table} has {found.dead} dead rows and {found.live} live ones: vacuum "
        f"does not keep up. Type: VACUUM (VERBOSE) {found.table}; it says what is in its way.",
    )


async def _age(database: Database, old: int) -> Finding:
    age = await age_of(database)
    if age < old:
        return good("wraparound", f"Rows were last frozen {age} transactions ago.")
    return bad(
        "wraparound",
        f"Rows were last frozen {age} transactions ago; before 2,000,000,000 the server stops "
        "taking changes. Type: VACUUM (FREEZE, VERBOSE)",
    )
