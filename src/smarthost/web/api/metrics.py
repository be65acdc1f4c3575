"""`/metrics`: what Prometheus reads, from the operator's own networks alone.

It asks for no credentials, as its readers expect, so everything depends on who is really asking.
A request that came through a proxy which is not believed is refused: the address of the
connection is the proxy's then, and often one of this machine.
"""

from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus

import falcon.asgi

from smarthost.web.errors import RequestError
from smarthost.web.exchange import Exchange
from smarthost.web.proxies import Networks, is_within
from smarthost.web.resource import Resource

Expose = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Takes the value of `Accept`; returns the content and its type."""

_BELIEVED = b"x-forwarded-for"
# What proxies add (RFC 7239, RFC 9110 section 7.6.3, and their customs).
_MARKS = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto",
     b"x-real-ip"}
)  # fmt: skip


class MetricsPage(Resource):
    """The end point."""

    def __init__(self, expose: Expose, readers: Networks, trusted: Networks) -> None:
        """`readers` are the networks that may read; proxies in `trusted` are believed."""
        super().__init__(("GET", "HEAD"))
        self._expose = expose
        self._readers = readers
        self._trusted = trusted

    async def on_get(self, request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer with all metrics; 403 for everybody else."""
        scope = request.scope
        names = {name for name, _ in scope["headers"]}
        if hides_its_origin(scope["client"][0], names, self._trusted):
            raise RequestError(
                HTTPStatus.FORBIDDEN,
                "This came through a proxy that is not believed, so nobody knows from where. Ask "
                "directly, or let the operator name the proxy in SMARTHOST_TRUSTED_NETWORKS.",
            )
        if not is_within(Exchange.of(request).client.address, self._readers):
            raise RequestError(
                HTTPStatus.FORBIDDEN,
                "Metrics are not for this address. The operator names the networks that may read "
                "them in SMARTHOST_METRICS_NETWORKS.",
            )
        response.data, response.content_type = await self._expose(
            request.get_header("Accept", default="")
        )

    on_head = on_get


def hides_its_origin(peer: str, names: Collection[bytes], trusted: Networks) -> bool:
    """Tell whether a request came through a proxy whose word for the client is not taken.

    `peer` is the connection's address, `names` are those of the header's fields, in lower case.
    """
    if not _MARKS.intersection(names):
        return False
    return not (_BELIEVED in names and is_within(peer, trusted))
