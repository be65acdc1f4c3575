"""What `doctor` says of a PostgreSQL server's standbys, and the start of a service too.

It says what is lost if the server's machine is. Where several servers are named somebody counts on
another one to take over, so that it is a fault there if that may lack what was confirmed.
"""

from smarthost.app.finding import Finding, bad, good
from smarthost.database.engine import Database
from smarthost.database.postgresql_hosts import hosts_of
from smarthost.database.postgresql_standbys import Standbys, standbys_of
from smarthost.secret import Secret

_CHECK = "standbys"
_NOT_WAITED_FOR = (
    "No standby is waited for. What the server has confirmed last is lost with its machine"
)


async def check_standbys(database: Database, url: Secret) -> Finding:
    """Look whether what is confirmed is on a second machine. Raises `StoreUnavailableError`."""
    standbys = await standbys_of(database)
    if standbys is None:
        return good(_CHECK, "The server does not tell what standbys it has.")
    return judge_standbys(standbys, servers=len(hosts_of(url)))


def judge_standbys(standbys: Standbys, *, servers: int) -> Finding:
    """Say what is lost with the server's machine; `servers` is how many the URL names."""
    if not standbys.needed:
        return _not_waited_for(standbys, servers)
    there = standbys.synchronous if standbys.is_told else standbys.connected
    if there < standbys.needed:
        return bad(
            _CHECK,
            f"The server waits for standbys, {standbys.needed} at a time, of which {there} are "
            "connected, and confirms nothing: all mail waits. Start them, or change "
            "synchronous_standby_names.",
        )
    if standbys.is_told:
        return good(
            _CHECK, f"Those that may be waited for are connected: {there} of {standbys.needed}."
        )
    return good(
        _CHECK,
        f"The server waits for standbys, {standbys.needed} at a time, and {there} are connected. "
        "Whether they are the ones it tells with: GRANT pg_read_all_stats TO the user.",
    )


def _not_waited_for(standbys: Standbys, servers: int) -> Finding:
    if servers > 1:
        return bad(
            _CHECK,
            f"{_NOT_WAITED_FOR}, though the URL names another server. Set "
            "synchronous_standby_names, and leave synchronous_commit on.",
        )
    if standbys.connected:
        return good(_CHECK, f"{_NOT_WAITED_FOR}. Connected: {standbys.connected}.")
    return good(_CHECK, "None is connected: without the server's machine there are its back-ups.")
