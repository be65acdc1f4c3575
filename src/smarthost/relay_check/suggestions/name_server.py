"""A name server that dnspython asks, with answers of a bounded length.

What a stranger puts into the zone of a domain is read by Python at a tenth of a millisecond a
record, while nothing else runs. DNS would let three thousand of them through. It is loaded with
dnspython, when there is something to ask.
"""

import asyncio
from typing import Any

import dns.message
from dns.asyncresolver import Resolver
from dns.exception import FormError
from dns.nameserver import Do53Nameserver

LARGEST_ANSWER = 4096
"""Octets of an answer over TCP; one over UDP has fewer, since that is what is asked for."""

_UDP_PAYLOAD = 1232  # RFC 9715, section 3.1


def bound(resolver: Resolver) -> None:
    """Have `resolver` ask its name servers for short answers, and read no long ones."""
    resolver.use_edns(0, 0, _UDP_PAYLOAD)
    resolver.nameservers = [
        _Bounded(one, resolver.nameserver_ports.get(one, resolver.port))
        for one in resolver.nameservers
        if isinstance(one, str)
    ]


class _Bounded(Do53Nameserver):
    """One name server, by UDP and where that does not suffice by TCP."""

    async def async_query(
        self,
        request: dns.message.QueryMessage,
        timeout: float,  # noqa: ASYNC109 - the interface is dnspython's
        source: str | None,
        source_port: int,
        max_size: bool,
        backend: Any,  # noqa: ANN401 - likewise
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        """Ask once, with `max_size` by TCP. Raises `FormError`, `EOFError`, `OSError`."""
        if not max_size:
            return await super().async_query(
                request,
                timeout,
                source,
                source_port,
                max_size,
                backend,
                one_rr_per_rrset,
                ignore_trailing,
            )
        async with asyncio.timeout(timeout):
            octets = await self._by_tcp(request.to_wire())
        response = dns.message.from_wire(octets)
        if not request.is_response(response):
            raise FormError
        return response

    async def _by_tcp(self, question: bytes) -> bytes:
        """Send the question and return the answer, each behind its length (RFC 7766)."""
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(len(question).to_bytes(2) + question)
            length = int.from_bytes(await reader.readexactly(2))
            if length > LARGEST_ANSWER:
                raise FormError
            return await reader.readexactly(length)
        finally:
            writer.close()
