"""A check that is watched through whatever stands in front of the service."""

from http.client import HTTPConnection

from tests.contract.events import steps, streamed
from tests.contract.relays import Silent, running_relay
from tests.contract.service import SETTINGS

_PATIENCE = 30.0


def watch_a_check(connection: HTTPConnection, headers: dict[str, str]) -> None:
    """See each event come while the relay is silent, and the check end as its watcher leaves."""
    silent = Silent()
    with running_relay(silent) as relay:
        body = {"host": "127.0.0.1", "port": relay.port, "senderAddress": "notify@example.com"}
        path = f"{SETTINGS}/check/events"
        with streamed(connection, "POST", path, body, headers) as stream:
            assert stream.status == 200
            assert stream.headers["Content-Type"] == "text/event-stream"
            told = [stream.next() for _ in range(5)]
            assert silent.reached.wait(_PATIENCE)
            assert not silent.left.is_set()
        assert silent.left.wait(_PATIENCE)
    assert steps(told)[-1] == "greeting begin"
