"""What standbys a PostgreSQL server has, and whether it waits for one before it confirms.

How many copy from it every user may see, and what it is set to; which of them are waited for is
told to members of pg_read_all_stats alone, of which pg_monitor is one. A subscriber of logical
replication copies too, and is no standby.
"""

from typing import NamedTuple

from smarthost.database.engine import Database

_STANDBYS = """
SELECT current_setting('synchronous_standby_names') <> ''
         AND current_setting('synchronous_commit') <> 'local',
       count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')),
       count(*) FILTER (WHERE state IS NULL) = 0
FROM pg_stat_replication r
WHERE (state IS NULL OR state <> 'backup') AND NOT EXISTS (
    SELECT FROM pg_replication_slots WHERE active_pid = r.pid AND slot_type = 'logical')"""


class Standbys(NamedTuple):
    """The servers that copy from one."""

    are_waited_for: bool
    """Whether a commit is confirmed only when one has it, or as many as are asked for."""
    connected: int
    synchronous: int
    """How many of them may be waited for; 0 where that is not told."""
    is_told: bool
    """Whether this user is told which they are."""


async def standbys_of(database: Database) -> Standbys:
    """Ask a PostgreSQL server. Raises `StoreUnavailableError`."""
    return Standbys(*(await database.fetch(_STANDBYS))[0])
