"""A network in which every address of the internet is this machine, and the relays that are there.

It is a namespace of its own: the kernel counts the connections that are begun in it, and nothing
that is sent leaves the machine, not even by a program that its operator has misunderstood.
"""

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import trustme

from tests import apart
from tests.authority import showing

PORTS = (22, 25, 80, 465, 587, 2465, 2525)

# Every address is this machine's.
_TO_HERE = (
    ("route", "add", "local", "0.0.0.0/0", "dev", "lo"),
    ("-6", "route", "add", "local", "::/0", "dev", "lo"),
)


def way_in(folder: Path) -> Sequence[str]:
    """Return what starts a command in such a network; its name server is at 127.0.0.1."""
    return apart.way_in(folder, *_TO_HERE)


def begun() -> int:
    """Return how many TCP connections the kernel has begun (sent a SYN for) in this network."""
    lines = Path("/proc/net/snmp").read_text(encoding="ascii").splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(values[names.index("ActiveOpens")])


class Reached(NamedTuple):
    """A connection that a relay has had."""

    address: str
    port: int
    server_name: str
    """Which name TLS asked for; empty without TLS."""


class Everywhere:
    """Relays on `PORTS` of all addresses; they take mail, with STARTTLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.reached: list[Reached] = []
        self.names = threading.local()
        context.sni_callback = self._note

    def _note(self, _tls: object, name: str, _context: ssl.SSLContext) -> None:
        self.names.asked = name


class _Session(socketserver.StreamRequestHandler):
    server: "_Server"
    timeout = 30

    def handle(self) -> None:
        everywhere = self.server.everywhere
        everywhere.names.asked = ""
        address, port, *_ = self.request.getsockname()
        with contextlib.suppress(OSError):  # the client has gone
            self._talk()
        name = everywhere.names.asked
        everywhere.reached.append(Reached(address.removeprefix("::ffff:"), port, name))

    def _talk(self) -> None:
        self._say("220 everywhere.example ESMTP")
        while words := self.rfile.readline(1000).split():
            match words[0].upper():
                case b"EHLO":
                    self._say("250-everywhere.example", "250 STARTTLS")
                case b"STARTTLS":
                    self._say("220 2.0.0 Go on")
                    self.request = self.server.everywhere.context.wrap_socket(
                        self.request, server_side=True
                    )
                    self.setup()
                case b"DATA":
                    self._say("354 Go on")
                    while self.rfile.readline(1000) not in {b".\r\n", b""}:
                        pass
                    self._say("250 2.0.0 Ok")
                case b"QUIT":
                    return
                case _:
                    self._say("250 2.0.0 Ok")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class _Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    daemon_threads = True

    def __init__(self, port: int, everywhere: Everywhere) -> None:
        self.everywhere = everywhere
        super().__init__(("::", port), _Session, bind_and_activate=False)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.server_bind()
        self.server_activate()


@contextlib.contextmanager
def running_everywhere(ca: trustme.CA, name: str) -> Iterator[Everywhere]:
    """Run these relays, with a certificate for `name` alone."""
    everywhere = Everywhere(showing(ca.issue_cert(name)))
    with contextlib.ExitStack() as stack:
        for port in PORTS:
            server = stack.enter_context(_Server(port, everywhere))
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            thread.start()
            stack.callback(thread.join, 10)
            stack.callback(server.shutdown)
        yield everywhere
