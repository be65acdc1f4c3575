"""Ends sessions of processes that hang or are gone, with what they have locked.

The server ends a transaction that is idle, and a statement that takes long. It sees neither where
a driver has had a statement prepared and does not go on to run it: it reads from its client, which
has no limit before PostgreSQL 17. A process that is stopped just then would keep a portal locked
for as long as it stands still.
"""

from collections.abc import Callable

import structlog

from smarthost.clock import Clock
from smarthost.database.engine import Database, StoreUnavailableError
from smarthost.database.postgresql_connections import APPLICATION

LONGEST_SECONDS = 5.0
"""As long as a transaction may be idle."""
LOOK_SECONDS = 1.0

# Of this installation's user alone, which may end its own sessions without any further right.
_END = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user
      AND (application_name = 'smarthost' OR application_name LIKE 'smarthost %')
      AND state = 'active' AND wait_event = 'ClientRead'
      AND state_change < clock_timestamp() - make_interval(secs => $1)"""
_END_OF_NODE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = $1"""

log = structlog.get_logger("smarthost.database")


async def end_hung_sessions(database: Database, longest_seconds: float = LONGEST_SECONDS) -> int:
    """End them; return how many there were. Raises `StoreUnavailableError`."""
    return int((await database.fetch(_END, longest_seconds))[0][0])


async def end_sessions_of(database: Database, node: str) -> int:
    """End all sessions of a node that is gone; return how many. Raises `StoreUnavailableError`.

    All at once: those that wait for a lock which another one has would get it one after the other,
    and each would keep it until the server ends it.
    """
    return int((await database.fetch(_END_OF_NODE, f"{APPLICATION} {node}"))[0][0])


async def keep_ending_hung_sessions(
    database: Database, clock: Clock, is_ours: Callable[[], bool]
) -> None:
    """Look for them until cancelled; `is_ours` tells whether this process is the one that does."""
    while True:
        await clock.sleep(LOOK_SECONDS)
        if not is_ours():
            continue
        try:
            count = await end_hung_sessions(database)
        except StoreUnavailableError as error:
            log.debug("sessions not looked at", reason=str(error))
            continue
        if count:
            log.warning("sessions ended of processes that hang", count=count)
