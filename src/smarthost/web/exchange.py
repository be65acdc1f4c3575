"""What is known of a request from its first octet to its log line."""

import falcon.asgi

from smarthost.audit.model import Actor
from smarthost.portals.model import Caller
from smarthost.web.event_stream import EventStream
from smarthost.web.family import Family
from smarthost.web.proxies import Client
from smarthost.web.rate_limit import Quota


class Exchange:
    """One request: fixed facts, and those that are found on its way.

    It travels in Falcon's `request.context`, since the middleware, the pipeline and the error
    handler are called apart.
    """

    __slots__ = (
        "caller",
        "client",
        "family",
        "quota",
        "request_id",
        "started",
        "stream",
        "url",
    )

    def __init__(
        self, *, family: Family, client: Client, request_id: str, url: str, started: float
    ) -> None:
        self.family = family
        """Whose shapes the answer has, found or refused."""
        self.client = client
        self.request_id = request_id
        self.url = url
        """The absolute URL that was asked for."""
        self.started = started
        """Seconds of the monotonic clock."""
        self.caller: Caller | None = None
        self.quota: Quota | None = None
        self.stream: EventStream | None = None
        """The events that it is answered with."""

    @property
    def actor(self) -> Actor:
        """Who is told to have done it: whoever asked, as far as that is found by now."""
        return Actor(
            name="nobody" if self.caller is None else self.caller.user.email,
            address=self.client.address,
            request_id=self.request_id,
        )

    @staticmethod
    def of(request: falcon.asgi.Request) -> "Exchange":
        """Return the exchange of a request that the middleware has seen."""
        exchange: Exchange = request.context.exchange
        return exchange
