"""A name server: a real one on UDP and TCP, with the records that a test gives it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from dns.asyncresolver import Resolver

from smarthost.relay_check.suggestions.dns import NameServers

Records = Mapping[tuple[str, str], Sequence[str]]
"""By name and type, in the spelling of a zone file."""
_TRIES = 20


@dataclass(kw_only=True)
class NameServer:
    records: Records
    rcodes: Mapping[str, str] = field(default_factory=dict)
    """What it answers about some names."""
    silent: frozenset[str] = frozenset()
    """Names that it never answers about."""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """By what, which name and which type, in the order of the questions."""
    port: int = 0
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    def ask(self, lifetime_seconds: float = 4.0) -> NameServers:
        """What asks this one."""
        return NameServers(self._resolver, lifetime_seconds)

    def _resolver(self) -> Resolver:
        resolver = Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], self.port
        return resolver

    def answer(self, octets: bytes, by: str) -> bytes | None:
        query = dns.message.from_wire(octets)
        (question,) = query.question
        name, kind = question.name.to_text(omit_final_dot=True).lower(), question.rdtype.name
        self.asked.append((by, name, kind))
        if name in self.silent:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        owner = name
        if alias := self.records.get((name, "CNAME")):
            response.answer.append(_records(name, "CNAME", alias))
            owner = alias[0].removesuffix(".")
        if found := self.records.get((owner, kind)):
            response.answer.append(_records(owner, kind, found))
        elif name in self.rcodes:
            response.set_rcode(dns.rcode.from_text(self.rcodes[name]))
        elif not any(name == known for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        try:
            return response.to_wire(max_size=65535 if by == "tcp" else 1232)
        except dns.exception.TooBig:
            response.answer = []
            response.flags |= dns.flags.TC
            return response.to_wire()

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            length = int.from_bytes(await reader.readexactly(2))
            answer = self.answer(await reader.readexactly(length), "tcp")
            if answer is not None:
                writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()
        writer.close()


def _records(name: str, kind: str, texts: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(f"{name}.", 60, "IN", kind, list(texts))


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, "udp")
        if answer is not None:
            self._transport.sendto(answer, addr)


@asynccontextmanager
async def name_server(
    records: Records,
    *,
    rcodes: Mapping[str, str] | None = None,
    silent: Sequence[str] = (),
) -> AsyncIterator[NameServer]:
    running = NameServer(records=records, rcodes=rcodes or {}, silent=frozenset(silent))
    loop = asyncio.get_running_loop()
    for _ in range(_TRIES):
        udp, _protocol = await loop.create_datagram_endpoint(
            lambda: _Udp(running), local_addr=("127.0.0.1", 0)
        )
        running.port = udp.get_extra_info("sockname")[1]
        try:
            tcp = await asyncio.start_server(running.serve_tcp, "127.0.0.1", running.port)
            break
        except OSError:  # taken for TCP
            udp.close()
    try:
        yield running
    finally:
        udp.close()
        tcp.close()
        for task in running.serving:
            task.cancel()
        await asyncio.gather(*running.serving, return_exceptions=True)
