"""One POST to a receiver over HTTP, out by the egress gate.

httpcore makes the request and asks the gate for the connection. No proxy of the environment, no
redirect and no cookie comes into play, since there is nothing here that knows of them. Unlike the
client of `http_client/` it keeps connections for the next event, and an answer's status is enough,
whatever becomes of its body. This module is loaded when there is something to send: the library
takes time and memory.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import httpcore

from smarthost.http_client.gate import EXPECTED, Gate, failure_of
from smarthost.smtp.egress import Policy, Resolver
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
                network_backend=Gate(
                    policy,
                    resolver,
                    tls=scheme == "https",
                    own_network_alone=scheme == "http",
                    largest_body=LARGEST_ANSWER,
                ),
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
        except EXPECTED as error:
            if status is None:
                raise NoAnswerError(NotTaken(failure_of(error))) from error
        assert status is not None  # noqa: S101 - there was an answer or an error
        return status

    async def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            await pool.aclose()


async def _read(response: httpcore.Response) -> None:
    left = LARGEST_ANSWER
    async for octets in response.aiter_stream():
        left -= len(octets)
        if left < 0:
            return
