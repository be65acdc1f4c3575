"""The names of broken set-ups, and what getaddrinfo(3) makes of the answers about them.

What the product asks in place of getaddrinfo is fed from a name server of the test's own; that the
real one gives the same answers is shown by `tests/journeys/test_broken_names.py`, with the real
program and the same names.
"""

import socket
from collections.abc import Callable

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from tests.name_server import Trouble, Zone

_PATIENCE_SECONDS = 0.4
"""How long the stub waits for a server that says nothing."""

ZONE: Zone = {
    "mail.example.com": {"A": ["127.0.0.1"]},
    "mial.example.com": Trouble.NXDOMAIN,
    "xn--bcher-kva.example.com": {"A": ["127.0.0.1"]},
    "example.com": {"MX": ["10 mail.example.com."]},
    "alias.example.com": {"CNAME": ["gone.example.com."]},
    "here.example.com": {"CNAME": ["there.example.com."]},
    "there.example.com": {"CNAME": ["here.example.com."]},
    "broken.example.com": Trouble.SERVFAIL,
    "silent.example.com": Trouble.SILENCE,
    "six.example.com": {"AAAA": ["2001:db8::25"]},
    "away.example.com": {"A": ["192.0.2.25"]},
    "walled.example.com": {"A": ["198.51.100.25"]},
}


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
