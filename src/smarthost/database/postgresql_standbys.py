"""What standbys a PostgreSQL server has, and whether it waits for one before it confirms.

How many copy from it every user may see, and what it is set to; which of them are waited for is
told to members of pg_read_all_stats alone, of which pg_monitor is one. A subscriber of logical
replication copies too, and is no standby.
"""

from typing import NamedTuple

import asyncpg

from smarthost.database.engine import Database, StoreUnavailableError

# A list without a number is one of which the first is waited for.
_STANDBYS = r"""
SELECT CASE WHEN current_setting('synchronous_standby_names') = ''
                 OR current_setting('synchronous_commit') = 'local' THEN 0
            ELSE coalesce(CAST(substring(current_setting('synchronous_standby_names')
                          from '(?i)^\s*(?:first|any)?\s*(\d+)\s*\(') AS INTEGER), 1) END,
       count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')),
       count(*) FILTER (WHERE state IS NULL) = 0
FROM pg_stat_replication r
WHERE (state IS NULL OR state <> 'backup') AND NOT EXISTS (
    SELECT FROM pg_replication_slots WHERE active_pid = r.pid AND slot_type = 'logical')"""


class Standbys(NamedTuple):
    """The servers that copy from one."""

    needed: int
    """How many have to have a commit before it is confirmed."""
    connected: int
    synchronous: int
    """How many of them may be waited for; 0 where that is not told."""
    is_told: bool
    """Whether this user is told which they are."""


async def standbys_of(database: Database) -> Standbys | None:
    """Ask a PostgreSQL server; None: it does not tell. Raises `StoreUnavailableError`."""
    try:
        return Standbys(*(await database.fetch(_STANDBYS))[0])
    except asyncpg.PostgresError:
        return None  # a service that has no such view
    except StoreUnavailableError as error:
        if isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
            return None
        raise
