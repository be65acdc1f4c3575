"""Nodes whose server is lost under load: its synchronous standby takes over, and they find it.

The old one comes back as a primary that knows of no other, which nobody may use any more. Then it
is made a standby, so that it may go the other way round. Clients keep their ledger as in
`cluster.py`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.journeys.cluster import NODES, OPEN, SHOW_TURNS, Cluster, cluster_in
from tests.journeys.outages import SOME, Asking, Told, ended, loaded, relay_of_nodes
from tests.journeys.partition import DATABASE, LinkedServer
from tests.journeys.sink import until
from tests.postgresql_pair import Pair, pair_of_servers
from tests.postgresql_server import PostgresqlServer

# A commit that waits for a standby is never confirmed; the server does not look who waits for it.
_SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name LIKE 'smarthost%' AND wait_event IS DISTINCT FROM 'SyncRep'"""
_SUBJECTS = "SELECT id, CAST(details AS JSON) ->> 'subject' FROM messages"
_WAIT_FOR_NOBODY = "ALTER SYSTEM SET synchronous_standby_names = ''"
_RELOAD = "SELECT pg_reload_conf()"
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
# Leases of 40 seconds are renewed every five by whoever carries something.
_END_FORGOTTEN = """
UPDATE recipients SET due_at = 1
WHERE state = 'sending' AND due_at > 1
      AND due_at < (extract(epoch FROM clock_timestamp()) + 33) * 1000000 RETURNING message_id"""
_AWAY_SECONDS = 0.5


class Losing(NamedTuple):
    """Nodes with their servers, and who asks them."""

    cluster: Cluster
    pair: Pair
    asking: Asking


def lose_silently(losing: Losing) -> float:
    """Have the primary stand still, with its network, until it has been replaced.

    A node that starts behind that knows of no failover, and both say that they are the primary.
    """
    cluster, pair, asking = losing
    with pair.primary.still():
        pair.take_over()
        back = asking.wait_back()
    cluster.nodes[0].stop()
    cluster.start(0)
    asking.wait_back()
    return back


def lose_at_once(losing: Losing) -> float:
    """Have the primary gone, and back when it has been replaced."""
    _, pair, asking = losing
    pair.primary.lose()
    asking.meanwhile(_AWAY_SECONDS)
    pair.take_over()
    back = asking.wait_back()
    pair.standby.start()
    return back


Loss = Callable[[Losing], float]


def lose_servers(folder: Path, losses: Sequence[Loss], *, wait: bool) -> Told:
    """Lose the primary so many times under load; check that all nodes go on with the other.

    Unless all is to `wait` for the end of leases as in life, they are ended by hand.
    """
    with pair_of_servers() as pair, relay_of_nodes() as relay:
        linked = LinkedServer(server=pair.primary, urls=[pair.url(DATABASE)] * NODES)
        with cluster_in(folder, linked) as cluster:
            asking = Asking(cluster, range(NODES))
            with loaded(cluster, relay):
                back = max(_lose(loss, Losing(cluster, pair, asking)) for loss in losses)
            if not wait:
                _end_leases(cluster)
            return ended(cluster, relay, asking, back)


def _lose(loss: Loss, losing: Losing) -> float:
    cluster, pair, _ = losing
    back = loss(losing)
    cluster.server, replaced = pair.primary, pair.standby
    # From here on whatever is written there can be seen there, as what has waited until now.
    replaced.run_sql(_WAIT_FOR_NOBODY, _RELOAD)
    until(lambda: replaced.run_sql(_WAITING) == [(0,)])
    there = _subjects(replaced, cluster)
    cluster.wait_for_more(SOME)
    until(lambda: replaced.run_sql(_SESSIONS) == [(0,)])
    assert _subjects(replaced, cluster) == there, "nothing is written there any more"
    answered = set(cluster.answered)
    kept = _subjects(pair.primary, cluster)
    in_doubt = {there[message] for message in there.keys() - kept.keys()}
    assert in_doubt & answered <= set(kept.values()), "accepted only where it was asked for again"
    pair.renew_standby()
    return back


def _subjects(server: PostgresqlServer, cluster: Cluster) -> dict[str, str]:
    """Return the subject of each message that a server has."""
    return dict(server.run_sql(_SUBJECTS, database=cluster.database))


def _end_leases(cluster: Cluster) -> None:
    """Have claims end whose commit was cut off, so that no node knows that it has them."""

    def is_drained() -> bool:
        if cluster.ask(_END_FORGOTTEN):
            cluster.ask(SHOW_TURNS)
        return bool(cluster.ask(OPEN) == [(0,)])

    until(is_drained)
