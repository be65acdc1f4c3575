"""The rows of nodes that deliver: each writes now and then that it is there."""

from smarthost.clock import Clock
from smarthost.database.engine import Database

_SAY = """
INSERT INTO delivering_nodes (name, seen_at) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at"""
_ALL = "SELECT name, seen_at FROM delivering_nodes ORDER BY name"
_FORGET = "DELETE FROM delivering_nodes WHERE name = $1 AND seen_at = $2"
_LEAVE = "DELETE FROM delivering_nodes WHERE name = $1"


class NodeStore:
    """Reads and changes these rows."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def say(self, name: str) -> None:
        """Write down that this node is there.

        Units of work may all wait, for a portal that somebody else keeps locked or for a standby,
        and that is no reason to take this node for dead. A server that takes over hears it anew.
        """
        await self._database.note(_SAY, name, self._clock.now())

    async def all(self) -> dict[str, int]:
        """Return when each node that has not left wrote last; microseconds since 1970, UTC."""
        return {row[0]: row[1] for row in await self._database.fetch(_ALL)}

    async def forget(self, name: str, seen_at: int) -> None:
        """Remove a node that has not written since."""
        await self._database.execute(_FORGET, name, seen_at)

    async def leave(self, name: str) -> None:
        """Remove a node that stops."""
        await self._database.execute(_LEAVE, name)
