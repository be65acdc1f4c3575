"""A name server of a test's own: a real one on 127.0.0.1, over UDP and TCP, in threads.

It is the authority for everything, and nobody is to keep what it says (TTL 0). In threads, so that
it serves programs, the C library, and event loops whose time is not the real one.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from enum import Enum
from socketserver import BaseRequestHandler, TCPServer, ThreadingTCPServer, UDPServer
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset

_LONGEST_DATAGRAM = 1232  # octets, as most servers have it since 2020
_LONGEST = 65535  # over TCP (RFC 1035, section 4.2.2)
_TRIES = 20


class Trouble(Enum):
    """What a name server does in place of an answer."""

    NXDOMAIN = dns.rcode.NXDOMAIN
    SERVFAIL = dns.rcode.SERVFAIL
    REFUSED = dns.rcode.REFUSED
    SILENCE = None


Records = Mapping[str, Sequence[str]]
"""The texts of each type, as in a zone file; `CNAME` stands alone, and is followed."""
Said = Records | Trouble
Zone = Mapping[str, Said | Callable[[str], Said]]
"""What is said of a name; a callable is asked each time, with the type. No other name exists."""


class Asked(NamedTuple):
    """One question."""

    by: str
    """`udp` or `tcp`."""
    name: str
    """In lower case, without final dot."""
    kind: str


class NameServer:
    """Answers out of a zone, and keeps what it was asked, in order."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: list[Asked] = []
        self.port = 0

    def answer(self, octets: bytes, by: str) -> bytes | None:
        """Return the answer to a query; None: none is given."""
        query = dns.message.from_wire(octets)
        response = dns.message.make_response(query, recursion_available=True)
        response.flags |= dns.flags.AA
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True).lower(), question.rdtype.name
        self.asked.append(Asked(by, name, kind))
        trouble = self._fill(response, name, kind)
        if trouble is Trouble.SILENCE:
            return None
        if trouble is not None:
            response.set_rcode(trouble.value)
        try:
            return response.to_wire(max_size=_LONGEST if by == "tcp" else _LONGEST_DATAGRAM)
        except dns.exception.TooBig:
            response.answer = []
            response.flags |= dns.flags.TC
            return response.to_wire()

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> Trouble | None:
        """Put the records of a name in, and of what it is an alias of; gives where that ends."""
        seen: set[str] = set()
        while name not in seen:
            seen.add(name)
            said = self.zone.get(name, Trouble.NXDOMAIN)
            if callable(said):
                said = said(kind)
            if isinstance(said, Trouble):
                return said
            alias = said.get("CNAME")
            if found := alias or said.get(kind):
                records = "CNAME" if alias else kind
                response.answer.append(
                    dns.rrset.from_text_list(f"{name}.", 0, "IN", records, found)
                )
            if alias:
                name = alias[0].removesuffix(".")
        return None


class _Udp(UDPServer):
    def __init__(self, names: NameServer) -> None:
        self.names = names
        super().__init__(("127.0.0.1", names.port), _Datagram)


class _Datagram(BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        octets, out = self.request
        answer = self.server.names.answer(octets, "udp")
        if answer is not None:
            out.sendto(answer, self.client_address)


class _Tcp(ThreadingTCPServer):
    allow_reuse_address = True

    def __init__(self, names: NameServer) -> None:
        self.names = names
        super().__init__(("127.0.0.1", names.port), _Stream)


class _Stream(BaseRequestHandler):
    server: _Tcp

    def handle(self) -> None:
        self.request.settimeout(10)
        with self.request.makefile("rb") as octets:
            length = int.from_bytes(octets.read(2))
            answer = self.server.names.answer(octets.read(length), "tcp")
        if answer is not None:
            self.request.sendall(len(answer).to_bytes(2) + answer)


@contextmanager
def name_server(zone: Zone, port: int = 0) -> Iterator[NameServer]:
    """Run a name server; port 0: one that is free."""
    running = NameServer(zone)
    with ExitStack() as stack:
        for server in _listening(running, port):
            stack.enter_context(server)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield running


def _listening(names: NameServer, port: int) -> tuple[UDPServer, TCPServer]:
    """Take the same port for both."""
    for _ in range(_TRIES):
        names.port = port
        udp = _Udp(names)
        names.port = udp.server_address[1]
        try:
            return udp, _Tcp(names)
        except OSError:  # taken for TCP
            udp.server_close()
    raise AssertionError("No port is free for both UDP and TCP.")
