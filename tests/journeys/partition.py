"""A PostgreSQL in a network of its own, with a link to each node that can be cut.

Nodes, clients and relay are in a network that the test has made too (`tests.apart`). What is sent
over a link that is cut vanishes: no connection is closed, nobody is told, and the link stays up.
"""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.postgresql_server import PostgresqlServer

DATABASE = "postgres"

_PATIENCE = 30.0
_IN_OWN_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
_ALLOW = "host all all 10.78.0.0/16 trust\n"


@dataclass(frozen=True, kw_only=True)
class LinkedServer:
    """A server, and the URL by which each node reaches it."""

    server: PostgresqlServer
    urls: Sequence[str]

    def cut(self, number: int) -> None:
        """Have all vanish that goes over a node's link, in both directions."""
        self._both(number, "replace", "root", "blackhole")

    def join(self, number: int) -> None:
        """Have it go over again."""
        self._both(number, "del", "root")

    def _both(self, number: int, change: str, *words: str) -> None:
        command = ("tc", "qdisc", change, "dev", _link(number), *words)
        _run(*command)
        _run(*_at(self.server), *command)


def _link(number: int) -> str:
    return f"db{number}"


def _at(server: PostgresqlServer) -> Sequence[str]:
    return ("nsenter", f"--net=/proc/{server.pid}/ns/net")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE)


@contextlib.contextmanager
def linked_server(nodes: int) -> Iterator[LinkedServer]:
    """Run one with so many links; the caller is in a network of the test's own."""
    server = PostgresqlServer(under=_IN_OWN_NETWORK, listen_addresses="*")
    try:
        with (server.folder / "data/pg_hba.conf").open("a", encoding="ascii") as file:
            file.write(_ALLOW)
        server.run_sql("SELECT pg_reload_conf()")
        for number in range(nodes):
            _make_link(server, number)
        urls = [f"postgresql://smarthost@10.78.{number}.2/{DATABASE}" for number in range(nodes)]
        yield LinkedServer(server=server, urls=urls)
    finally:
        server.remove()


def _make_link(server: PostgresqlServer, number: int) -> None:
    name, there = _link(number), _at(server)
    # Addresses of the link layer that both ends know: a cut is not noticed by asking for them.
    here, far = (f"02:00:00:78:{number:02x}:{end:02x}" for end in (1, 2))
    peer = ("peer", "name", name, "address", far, "netns", str(server.pid))
    _run("ip", "link", "add", name, "address", here, "type", "veth", *peer)
    for at, own, other, mac in (((), 1, 2, far), (there, 2, 1, here)):
        _run(*at, "ip", "address", "add", f"10.78.{number}.{own}/24", "dev", name)
        _run(*at, "ip", "link", "set", name, "up")
        neighbour = (f"10.78.{number}.{other}", "lladdr", mac, "dev", name, "nud", "permanent")
        _run(*at, "ip", "neighbour", "replace", *neighbour)
