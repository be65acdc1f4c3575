"""A name server of the test's own, and what getaddrinfo(3) makes of its answers.

The server answers over UDP, as any does. What the product asks in place of getaddrinfo is fed from
it; that the real one gives the same answers is shown by `tests/journeys/test_broken_names.py`,
with the real program and the same server.
"""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from socketserver import BaseRequestHandler, UDPServer
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

_LONGEST_CHAIN = 8
_PATIENCE_SECONDS = 0.4
"""How long the stub waits for a server that says nothing."""


class Trouble(Enum):
    """What a name server does in place of an answer."""

    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    SILENCE = "silence"


Records = Sequence[tuple[str, str]]
"""Type and text of each; `CNAME` stands alone."""
Zone = Mapping[str, Records | Trouble]
"""A name that is not in it does not exist."""

ZONE: Zone = {
    "mail.example.com": [("A", "127.0.0.1")],
    "mial.example.com": Trouble.NXDOMAIN,
    "xn--bcher-kva.example.com": [("A", "127.0.0.1")],
    "example.com": [("MX", "10 mail.example.com.")],
    "alias.example.com": [("CNAME", "gone.example.com.")],
    "here.example.com": [("CNAME", "there.example.com.")],
    "there.example.com": [("CNAME", "here.example.com.")],
    "broken.example.com": Trouble.SERVFAIL,
    "silent.example.com": Trouble.SILENCE,
    "six.example.com": [("AAAA", "2001:db8::25")],
    "away.example.com": [("A", "192.0.2.25")],
    "walled.example.com": [("A", "198.51.100.25")],
}


class _Server(UDPServer):
    def __init__(self, where: tuple[str, int], zone: Zone) -> None:
        self.zone = zone
        super().__init__(where, _Handler)


class _Handler(BaseRequestHandler):
    def handle(self) -> None:
        octets, out = self.request
        answer = _answer(octets, cast("_Server", self.server).zone)
        if answer is not None:
            out.sendto(answer, self.client_address)


def _answer(octets: bytes, zone: Zone) -> bytes | None:
    """Answer as a server that is the authority for everything."""
    asked = dns.message.from_wire(octets)
    response = dns.message.make_response(asked, recursion_available=True)
    response.flags |= dns.flags.AA
    (question,) = asked.question
    name = question.name.to_text(omit_final_dot=True).casefold()
    for _ in range(_LONGEST_CHAIN):
        records = zone.get(name, Trouble.NXDOMAIN)
        if records is Trouble.NXDOMAIN:
            response.set_rcode(dns.rcode.NXDOMAIN)
            break
        if records is Trouble.SILENCE:
            return None
        if isinstance(records, Trouble):
            response.set_rcode(dns.rcode.SERVFAIL)
            break
        aliases = [text for kind, text in records if kind == "CNAME"]
        found = aliases or [
            text for kind, text in records if kind == dns.rdatatype.to_text(question.rdtype)
        ]
        if found:
            kind = "CNAME" if aliases else question.rdtype
            response.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *found))
        if not aliases:
            break
        name = aliases[0].rstrip(".")
    return response.to_wire()


@contextmanager
def name_server(zone: Zone, port: int = 0) -> Iterator[int]:
    """Run a name server on 127.0.0.1; gives its port."""
    with _Server(("127.0.0.1", port), zone) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            serving.join()


def look_up_at(port: int) -> Callable[[str], list[str]]:
    """Return what takes the place of getaddrinfo and asks the server at `port`."""

    def look_up(host: str) -> list[str]:
        found: list[str] = []
        for kind in (dns.rdatatype.AAAA, dns.rdatatype.A):
            question = dns.message.make_query(f"{host}.", kind)
            try:
                answer = dns.query.udp(question, "127.0.0.1", _PATIENCE_SECONDS, port)
            except dns.exception.Timeout:
                raise socket.gaierror(socket.EAI_AGAIN, "no answer") from None
            if answer.rcode() is dns.rcode.NXDOMAIN:
                raise socket.gaierror(socket.EAI_NONAME, "no such name")
            if answer.rcode() is not dns.rcode.NOERROR:
                raise socket.gaierror(socket.EAI_AGAIN, "no answer")
            found += [str(one) for some in answer.answer if some.rdtype is kind for one in some]
        if not found:
            raise socket.gaierror(socket.EAI_NODATA, "no address")
        return found

    return look_up
