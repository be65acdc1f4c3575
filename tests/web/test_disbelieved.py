from structlog.testing import capture_logs

from smarthost.web.disbelieved import Disbelieved
from smarthost.web.proxies import Client


def told_of(disbelieved: Disbelieved, *addresses: str) -> list[str]:
    with capture_logs() as lines:
        for address in addresses:
            disbelieved.note(Client(address=address, scheme="http", host="x", disbelieved=True))
    return [line["peer"] for line in lines]


def test_each_peer_is_told_of_once() -> None:
    disbelieved = Disbelieved()
    assert told_of(disbelieved, "10.0.0.1", "10.0.0.2", "10.0.0.1") == ["10.0.0.1", "10.0.0.2"]
    assert told_of(disbelieved, "10.0.0.2") == []


def test_those_who_only_claim_to_be_proxies_do_not_fill_the_log() -> None:
    many = [f"192.0.2.{last}" for last in range(100)]
    assert told_of(Disbelieved(), *many) == many[:20]
