"""A name server on loopback that says what a test wants, and that nobody is to keep (TTL 0).

Only what getaddrinfo(3) asks is understood: one question for A or AAAA over UDP (RFC 1035).
"""

import contextlib
import ipaddress
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

A, CNAME, AAAA = 1, 5, 28
NO_ERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
_HEADER = struct.Struct("!HHHHHH")
_FIXED = struct.Struct("!HHIH")  # type, class, time to live, length of the data
_QUESTION = struct.Struct("!HH")
_ANSWERS_RECURSION = 0x8180


class Answer(NamedTuple):
    """What is said of a name; addresses of the family that was not asked for are left out."""

    addresses: tuple[str, ...] = ()
    aliases: int = 0
    """How many times in a row the name is only another name (CNAME)."""
    code: int = NO_ERROR


class NameServer(socketserver.UDPServer):
    """Answers as `said` does, and counts the questions for A by name."""

    def __init__(self, said: Callable[[str], Answer]) -> None:
        super().__init__(("127.0.0.1", 53), _Handler)
        self.asked: Counter[str] = Counter()
        self._said = said
        self._aaaa: dict[str, Answer] = {}

    def reply(self, query: bytes) -> bytes:
        """Return the reply to a query."""
        name, kind, end = _question(query)
        if kind == A:
            self.asked[name] += 1
            # getaddrinfo asks for both families at once, and A first: one answer for one lookup.
            answer = self._aaaa[name] = self._said(name)
        else:
            answer = self._aaaa.pop(name) if name in self._aaaa else self._said(name)
        records = list(_records(name, answer, kind))
        head = _HEADER.pack(
            int.from_bytes(query[:2]), _ANSWERS_RECURSION | answer.code, 1, len(records), 0, 0
        )
        return head + query[_HEADER.size : end] + b"".join(records)


class _Handler(socketserver.BaseRequestHandler):
    server: NameServer

    def handle(self) -> None:
        query, back = self.request
        back.sendto(self.server.reply(query), self.client_address)


@contextlib.contextmanager
def running_name_server(said: Callable[[str], Answer]) -> Iterator[NameServer]:
    """Run a name server at 127.0.0.1, port 53, which has to be free."""
    with NameServer(said) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


def _question(query: bytes) -> tuple[str, int, int]:
    """Return the name in lower case, the type, and where the question ends."""
    labels, at = [], _HEADER.size
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii"))
        at += 1 + length
    kind, _ = _QUESTION.unpack_from(query, at + 1)
    return ".".join(labels).lower(), kind, at + 1 + _QUESTION.size


def _records(name: str, answer: Answer, kind: int) -> Iterator[bytes]:
    for number in range(answer.aliases):
        alias = f"alias-{number}.{name.partition('.')[2]}"
        yield _record(name, CNAME, _wire(alias))
        name = alias
    for text in answer.addresses:
        address = ipaddress.ip_address(text)
        if (address.version == 4) == (kind == A):
            yield _record(name, kind, address.packed)


def _record(name: str, kind: int, data: bytes) -> bytes:
    return _wire(name) + _FIXED.pack(kind, 1, 0, len(data)) + data


def _wire(name: str) -> bytes:
    labels = (label.encode("ascii") for label in name.split("."))
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
