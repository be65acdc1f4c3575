"""One POST to a receiver over HTTP, out by the egress gate.

httpcore makes the request and asks the gate for the connection: the name is looked up there once,
every address is checked, and a checked one is connected to. No proxy of the environment, no
redirect and no cookie comes into play, since there is nothing here that knows of them. This module
is loaded when there is something to send: the library takes time and memory.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

import httpcore

from smarthost.smtp.egress import (
    DestinationForbiddenError,
    NameLookupError,
    Policy,
    RelayNotFoundError,
    Resolver,
    destinations,
    is_public,
)
from smarthost.webhooks.model import NoAnswerError, NotTaken

DEADLINE_SECONDS = 10.0
"""For all of it, from the look-up of the name to the answer."""
LARGEST_ANSWER = 64 * 1024
"""Octets of an answer's body that are read, so that the connection can be used again."""

_IDLE_SECONDS = 5.0
Headers = Sequence[tuple[bytes, bytes]]


class Poster:
    """Sends events, and keeps connections open for a few seconds."""

    def __init__(
        self,
        policy: Policy,
        resolver: Resolver,
        context: Callable[[], ssl.SSLContext],
        at_once: int,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """`context` makes one that verifies certificates; it is called once."""
        self._deadline_seconds = deadline_seconds
        tls = context()
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=tls,
                max_connections=at_once,
                keepalive_expiry=_IDLE_SECONDS,
                network_backend=_Gate(policy, resolver, own_network_alone=scheme == "http"),
            )
            for scheme in ("https", "http")
        }

    async def post(self, url: str, headers: Headers, payload: bytes) -> int:
        """Send `payload` and return the status of the answer. Raises `NoAnswerError`."""
        parts = urlsplit(url)
        sent = [
            (b"Host", parts.netloc.encode("ascii")),
            (b"User-Agent", b"Smarthost"),
            (b"Content-Type", b"application/json"),
            *headers,
        ]
        # The status says it all; a body that never ends does not make it unsaid.
        status = None
        timeout = {"timeout": {"connect": self._deadline_seconds}}
        try:
            async with (
                asyncio.timeout(self._deadline_seconds),
                self._pools[parts.scheme].stream(
                    "POST", url, headers=sent, content=payload, extensions=timeout
                ) as response,
            ):
                status = response.status
                await _read(response)
        except tuple(_FAILURES) as error:
            if status is None:
                raise NoAnswerError(_failure(error)) from error
        assert status is not None  # noqa: S101 - there was an answer or an error
        return status

    async def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()


class _Gate(httpcore.AsyncNetworkBackend):
    """Makes connections to checked addresses and to nothing else."""

    def __init__(self, policy: Policy, resolver: Resolver, *, own_network_alone: bool) -> None:
        self._policy = policy
        self._resolver = resolver
        self._own_network_alone = own_network_alone
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
                return stream if self._own_network_alone else _BeforeTls(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore does so between tries, of which there is one here."""
        await asyncio.sleep(seconds)


class _BeforeTls(httpcore.AsyncNetworkStream):
    """A connection that TLS comes next on, and that ends with the handshake if that fails.

    httpcore leaves it open when it is cancelled in the middle of one, which our deadline does.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface is httpcore's
    ) -> httpcore.AsyncNetworkStream:
        """Return the encrypted connection. Raises `_HandshakeError`."""
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except httpcore.ConnectError as error:
            raise _HandshakeError from error
        except asyncio.CancelledError:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()


class _HandshakeError(Exception):
    """TLS does not stand."""


async def _read(response: httpcore.Response) -> None:
    left = LARGEST_ANSWER
    async for octets in response.aiter_stream():
        left -= len(octets)
        if left < 0:
            return


def _is_outside(address: str) -> bool:
    return is_public(ipaddress.ip_address(address))


_FAILURES: dict[type[Exception], NotTaken] = {
    RelayNotFoundError: NotTaken.NOT_FOUND,
    NameLookupError: NotTaken.LOOKUP_FAILED,
    DestinationForbiddenError: NotTaken.FORBIDDEN,
    _HandshakeError: NotTaken.TLS_FAILED,
    TimeoutError: NotTaken.TIMED_OUT,
    httpcore.TimeoutException: NotTaken.TIMED_OUT,
    httpcore.ConnectError: NotTaken.UNREACHABLE,
    httpcore.NetworkError: NotTaken.BROKEN_OFF,
    httpcore.ProtocolError: NotTaken.BROKEN_OFF,
    OSError: NotTaken.BROKEN_OFF,
}
"""The first that fits counts."""


def _failure(error: Exception) -> NotTaken:
    return next(failure for kind, failure in _FAILURES.items() if isinstance(error, kind))
