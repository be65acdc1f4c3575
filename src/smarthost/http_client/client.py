"""One bounded HTTP request to the outside.

All of it has one deadline, the answer has a greatest length, and each redirect that is followed
goes through the egress gate anew. There are no cookies, no proxy of the environment and no
compressed bodies, which could be a thousand times as long as what arrives. A connection serves one
request: what is asked here is asked seldom.
"""

import asyncio
import ssl
from collections.abc import Callable, Container
from typing import TYPE_CHECKING

from smarthost.http_client.model import Answer, Failure, Headers, NoAnswerError
from smarthost.http_client.url import DEFAULT_PORTS, Url, read_url, redirected
from smarthost.smtp.egress import Policy, Resolver

if TYPE_CHECKING:
    import httpcore

_REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110, section 15.4
_NOT_ENCODED = frozenset({"", "identity"})


class HttpClient:
    """Makes requests; it keeps nothing open between them."""

    def __init__(
        self,
        policy: Policy,
        resolver: Resolver,
        context: Callable[[], ssl.SSLContext],
        *,
        deadline_seconds: float,
        largest_body: int,
        ports: Container[int] = frozenset(DEFAULT_PORTS.values()),
    ) -> None:
        """`deadline_seconds` is for a request with its redirects, from the first look-up on.

        `largest_body` is in octets. `context` makes one that verifies certificates; it is called
        once, at the first https URL. `ports` are those that a URL may name; `policy` counts as
        well.
        """
        self._policy = policy
        self._resolver = resolver
        self._make_context = context
        self._deadline_seconds = deadline_seconds
        self._largest_body = largest_body
        self._ports = ports
        self._context: ssl.SSLContext | None = None

    async def get(self, url: str, *, headers: Headers = (), redirects: int = 0) -> Answer:
        """Ask for `url`, following at most `redirects` redirects; `headers` go to each.

        Raises `NoAnswerError`.
        """
        return await self._bounded("GET", url, headers, None, redirects)

    async def post(self, url: str, content: bytes, *, headers: Headers = ()) -> Answer:
        """Send `content` to `url`, without TLS only on one's own network; redirects are failures.

        Raises `NoAnswerError`.
        """
        return await self._bounded("POST", url, headers, content, 0)

    async def _bounded(
        self, method: str, url: str, headers: Headers, content: bytes | None, redirects: int
    ) -> Answer:
        place = read_url(url, self._ports)
        if place is None:
            raise NoAnswerError(Failure.BAD_URL)
        # Takes time and memory, and most installations never ask anything.
        from smarthost.http_client.gate import EXPECTED, failure_of  # noqa: PLC0415

        try:
            async with asyncio.timeout(self._deadline_seconds):
                for _ in range(redirects + 1):
                    found = await self._once(method, place, headers, content)
                    if isinstance(found, Answer):
                        return found
                    place = found
        except EXPECTED as error:
            raise NoAnswerError(failure_of(error)) from error
        raise NoAnswerError(Failure.REDIRECTED)

    async def _once(
        self, method: str, url: Url, headers: Headers, content: bytes | None
    ) -> Answer | Url:
        """Ask once; gives the answer, or where it points."""
        import httpcore  # noqa: PLC0415

        from smarthost.http_client.gate import Gate  # noqa: PLC0415

        tls = url.scheme == "https"
        gate = Gate(
            self._policy,
            self._resolver,
            tls=tls,
            own_network_alone=not tls and content is not None,
            largest_body=self._largest_body,
        )
        sent = [
            (b"Host", url.authority.encode("ascii")),
            (b"User-Agent", b"Smarthost"),
            (b"Accept-Encoding", b"identity"),
            (b"Connection", b"close"),
            *headers,
        ]
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._verifying() if tls else None,
                max_connections=1,
                max_keepalive_connections=0,
                network_backend=gate,
            ) as pool,
            pool.stream(
                method,
                httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target),
                headers=sent,
                content=content,
                extensions={"timeout": {"connect": self._deadline_seconds}},
            ) as response,
        ):
            if response.status in _REDIRECTS:
                return self._target(url, response.headers)
            return Answer(status=response.status, body=await self._body(response))

    def _target(self, url: Url, headers: Headers) -> Url:
        found = redirected(url, _field(headers, b"location"), self._ports)
        if found is None:
            raise NoAnswerError(Failure.REDIRECTED)
        return found

    async def _body(self, response: "httpcore.Response") -> bytes:
        if _field(response.headers, b"content-encoding").strip().lower() not in _NOT_ENCODED:
            raise NoAnswerError(Failure.ENCODED)
        body = bytearray()
        async for octets in response.aiter_stream():
            body += octets
            if len(body) > self._largest_body:
                raise NoAnswerError(Failure.TOO_LONG)
        return bytes(body)

    def _verifying(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = self._make_context()
        return self._context


def _field(headers: Headers, name: bytes) -> str:
    """Return a field's value, all of them if it comes several times (RFC 9110, section 5.2)."""
    values = [value for field, value in headers if field.lower() == name]
    return b", ".join(values).decode("latin-1")
