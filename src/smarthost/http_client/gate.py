"""httpcore's connections, made by the egress gate.

httpcore asks the gate for each connection: the name is looked up there once, every address is
checked, and a checked one is connected to. No proxy of the environment comes into play, since
there is nothing here that knows of them. This module is loaded when there is something to ask:
the library takes time and memory.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore

from smarthost.http_client.model import Failure
from smarthost.smtp.egress import (
    DestinationForbiddenError,
    NameLookupError,
    Policy,
    RelayNotFoundError,
    Resolver,
    destinations,
    is_public,
)

HEAD_OCTETS = 32 * 1024
"""What an answer may have beside its body: its head, and what chunks are made of."""

# What comes is worked through while nothing else runs: at most for a few milliseconds.
_AT_ONCE = 4096


class Gate(httpcore.AsyncNetworkBackend):
    """Makes connections to checked addresses and to nothing else."""

    def __init__(
        self,
        policy: Policy,
        resolver: Resolver,
        *,
        tls: bool,
        own_network_alone: bool,
        largest_body: int,
    ) -> None:
        """`tls` comes next on each connection, or never.

        `largest_body` and `HEAD_OCTETS` are all that is read of what follows a request.
        With `own_network_alone` nothing is connected to that is outside, whatever `policy` says.
        """
        self._policy = policy
        self._resolver = resolver
        self._tls = tls
        self._own_network_alone = own_network_alone
        self._most = HEAD_OCTETS + largest_body
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of `host` that answers, if all are allowed."""
        addresses = await destinations(host, self._policy, self._resolver, port=port)
        if self._own_network_alone and any(map(_is_outside, addresses)):
            raise DestinationForbiddenError
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses:
            try:
                stream = await self._network.connect_tcp(
                    address, port, share, local_address, socket_options
                )
                if self._tls:
                    return _BeforeTls(stream, self._most)
                return _Metered(stream, self._most)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore does so between tries, of which there is one here."""
        await asyncio.sleep(seconds)


class _Metered(httpcore.AsyncNetworkStream):
    """A connection that is read a little at a time, and not without end.

    An answer in chunks of one octet, or one that only goes on to say 100 (Continue), is work out
    of all proportion to what it holds.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream, most: int) -> None:
        """`most` octets are read between two writes."""
        self._stream = stream
        self._most = self._left = most

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        """Read; raises `httpcore.RemoteProtocolError` behind the last octet that may come."""
        # TLS may have more of it already, and would not let anybody else have a turn.
        await asyncio.sleep(0)
        octets = await self._stream.read(min(max_bytes, _AT_ONCE), timeout)
        self._left -= len(octets)
        if self._left < 0:
            raise httpcore.RemoteProtocolError("The answer is too long.")
        return octets

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Write the next request, or more of it."""
        self._left = self._most
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the interface is httpcore's
        """Tell what the connection knows, such as whether it was closed meanwhile."""
        return self._stream.get_extra_info(info)


class _BeforeTls(httpcore.AsyncNetworkStream):
    """A connection that TLS comes next on, and that ends with the handshake if that fails.

    httpcore leaves it open when it is cancelled in the middle of one, which our deadline does.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream, most: int) -> None:
        """`most` is that of `_Metered`, which follows."""
        self._stream = stream
        self._most = most

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface is httpcore's
    ) -> httpcore.AsyncNetworkStream:
        """Return the encrypted connection. Raises `_HandshakeError`."""
        try:
            stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except httpcore.ConnectError as error:
            raise _HandshakeError from error
        except asyncio.CancelledError:
            await self.aclose()
            raise
        return _Metered(stream, self._most)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()


class _HandshakeError(Exception):
    """TLS does not stand."""


def _is_outside(address: str) -> bool:
    return is_public(ipaddress.ip_address(address))


_FAILURES: dict[type[Exception], Failure] = {
    RelayNotFoundError: Failure.NOT_FOUND,
    NameLookupError: Failure.LOOKUP_FAILED,
    DestinationForbiddenError: Failure.FORBIDDEN,
    _HandshakeError: Failure.TLS_FAILED,
    TimeoutError: Failure.TIMED_OUT,
    httpcore.TimeoutException: Failure.TIMED_OUT,
    httpcore.ConnectError: Failure.UNREACHABLE,
    httpcore.NetworkError: Failure.BROKEN_OFF,
    httpcore.ProtocolError: Failure.BROKEN_OFF,
    OSError: Failure.BROKEN_OFF,
}
"""The first that fits counts."""
EXPECTED = tuple(_FAILURES)
"""What a request may raise that goes out by this gate, within `asyncio.timeout`."""


def failure_of(error: Exception) -> Failure:
    """Say what one of `EXPECTED` means."""
    return next(failure for kind, failure in _FAILURES.items() if isinstance(error, kind))
