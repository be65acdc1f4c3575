"""What `doctor` says of the nodes on one PostgreSQL: who delivers, and whether all can connect."""

from smarthost.app.finding import Finding, bad, good
from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_connections import AT_ONCE
from smarthost.database.postgresql_standing import Room, room_of
from smarthost.mail_queue.nodes.membership import GONE_SECONDS
from smarthost.mail_queue.nodes.store import NodeStore

_EACH = AT_ONCE + 2
"""Connections of one process: those that it works with, one for hints, one for turns at tokens."""

_SILENT_SECONDS = 2 * GONE_SECONDS


async def check_nodes(database: Database) -> list[Finding]:
    """Look at the nodes and at their connections. Raises `StoreUnavailableError`."""
    assert isinstance(database, PostgresqlDatabase)  # noqa: S101 - what the URL opens
    room = await room_of(database)  # and the server's time is known
    now = database.clock.now()
    seen = await NodeStore(database, database.clock).all()
    silent = {name: (now - at) // MICROSECONDS for name, at in seen.items()}
    return [_judge(silent), judge_room(room, len(seen))]


def _judge(silent: dict[str, int]) -> Finding:
    """Take for how many seconds each node has said nothing."""
    gone = {name: seconds for name, seconds in silent.items() if seconds > _SILENT_SECONDS}
    if gone:
        name = max(gone, key=lambda one: gone[one])
        return bad(
            "nodes",
            f"{len(gone)} of {len(silent)} nodes say nothing more, {name} for {gone[name]} "
            "seconds, and none takes over their mail. Start a node, or end one that hangs.",
        )
    if not silent:
        return good("nodes", "None delivers at this moment.")
    return good("nodes", f"Processes that deliver: {len(silent)}.")


def judge_room(room: Room, nodes: int) -> Finding:
    """Say whether so many processes, and one that starts beside them, can connect."""
    needed = (nodes + 1) * _EACH + room.others
    words = f"{room.usable} connections may be made"
    if room.usable < needed:
        return bad(
            "connections",
            f"{words}; {nodes} processes that deliver and one more take up to {needed}, others' "
            f"{room.others} included. Raise max_connections, or the limit of the database or the "
            "user.",
        )
    return good("connections", f"{words}; each process takes up to {_EACH}.")
