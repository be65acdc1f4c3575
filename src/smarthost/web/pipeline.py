"""The way of every request to an end point, in the order that the contract gives its refusals.

Portal by host name (404), credentials (401), rate limit (429), permission and cross-site rule
(402, 403), answer type (406), body type and size (415, 413), body (400); only then does the end
point run. What any of these raises is answered by `application.py`.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import falcon.asgi

from smarthost.clock import Clock
from smarthost.network import rate_key
from smarthost.portals.access import authorize
from smarthost.portals.model import Caller, Portal
from smarthost.web.auth import Authenticator, Shown
from smarthost.web.body_room import BodyRoom
from smarthost.web.content import EVENTS, answer_type, check_takes_events
from smarthost.web.cookies import shown_cookie
from smarthost.web.cross_site import check_same_origin
from smarthost.web.event_stream import EventStream
from smarthost.web.exchange import Exchange
from smarthost.web.family import Decode
from smarthost.web.operations import Answer, Call, Events, Operation
from smarthost.web.portal_finder import PortalFinder
from smarthost.web.preconditions import revisions_that_match
from smarthost.web.rate_limit import Quota, RateLimit
from smarthost.web.reading import octets_to_come, read_body
from smarthost.web.refusing import refused
from smarthost.web.request import Request
from smarthost.web.stopping import until_stopped


class Pipeline:
    """Takes a request to its end point and wraps the answer."""

    def __init__(
        self,
        portals: PortalFinder,
        authenticator: Authenticator,
        users: RateLimit,
        addresses: RateLimit,
        clock: Clock,
        stopped: asyncio.Event,
    ) -> None:
        """Take what is set when the service stops: whatever waits for others ends then."""
        self._portals = portals
        self._authenticator = authenticator
        self._users = users
        self._addresses = addresses
        self._clock = clock
        self._stopped = stopped
        self._room = BodyRoom()

    async def run(
        self,
        operation: Operation,
        decode: Decode | None,
        request: Request,
        response: falcon.asgi.Response,
        path: dict[str, str],
    ) -> None:
        """Answer `request`; whatever it refuses is raised."""
        exchange = Exchange.of(request)
        portal = await self._portals.find(exchange.client.host)
        caller = await self._caller(operation, portal, request, exchange)
        content_type = _answer_type(operation, request.get_header("Accept", default=""))
        family = operation.family
        to_come = 0 if decode is None else octets_to_come(request, family.largest_body)
        async with self._room.taken(to_come):
            body = None
            if decode is not None:
                octets = await read_body(
                    request, family.largest_body, optional=operation.body_optional
                )
                body = decode(octets) if octets else None
            call = Call(
                portal=portal,
                caller=caller,
                actor=exchange.actor,
                client=exchange.client,
                body=body,
                if_match=revisions_that_match(request.get_header("If-Match")),
                path=path,
                query=_named(operation.query_parameters, request.get_param),
                headers=_named(operation.header_parameters, request.get_header),
            )
            answer = await self._answer(operation, call)
        response.content_type = content_type
        if isinstance(answer, Events):
            self._stream(answer, exchange, request, response)
            return
        # HEAD has the Content-Length that GET would have (RFC 9110 section 8.6).
        action = "GET" if request.method == "HEAD" else request.method
        response.data = family.success(answer.value, exchange.url, action)
        for name, value in answer.headers.items():
            response.set_header(name, value)

    async def _answer(self, operation: Operation, call: Call[Any]) -> Answer | Events:
        answering = operation.handler(call)
        if operation.waits_for_others:
            return await until_stopped(answering, self._stopped)
        return await answering

    def _stream(
        self,
        events: Events,
        exchange: Exchange,
        request: Request,
        response: falcon.asgi.Response,
    ) -> None:
        def failure(error: Exception) -> bytes:
            return exchange.family.failure(refused(exchange, error, self._clock))

        stream = EventStream(
            events.work, receive=request.receive, stopped=self._stopped, failure=failure
        )
        response.stream = stream
        # nginx would keep events until it has a page of them.
        response.set_header("X-Accel-Buffering", "no")
        # HEAD has the headers alone: nobody reads the stream, so that no work begins.
        if request.method != "HEAD":
            exchange.stream = stream

    async def _caller(
        self,
        operation: Operation,
        portal: Portal,
        request: falcon.asgi.Request,
        exchange: Exchange,
    ) -> Caller | None:
        if operation.action is None:
            self._admit(self._addresses.take(rate_key(exchange.client.address)), exchange)
            return None
        shown = Shown(
            authorization=request.get_header("Authorization"),
            api_key_bearer=request.get_header("ApiKeyBearer"),
            cookie=shown_cookie(request),
        )
        identity = await self._authenticator.identify(shown, portal, exchange.client)
        caller = identity.caller
        exchange.caller = caller
        self._admit(self._users.take(caller.user.id), exchange)
        authorize(operation.action, caller, portal)
        if identity.by_cookie_alone:
            check_same_origin(
                fetch_site=request.get_header("Sec-Fetch-Site"),
                origin=request.get_header("Origin"),
                referer=request.get_header("Referer"),
                client=exchange.client,
            )
        return caller

    def _admit(self, quota: Quota, exchange: Exchange) -> None:
        exchange.quota = quota
        quota.check(self._clock.now())


def _answer_type(operation: Operation, accept: str) -> str:
    if not operation.events:
        return answer_type(accept)
    check_takes_events(accept)
    return EVENTS


def _named(names: Iterable[str], find: Callable[[str], str | None]) -> dict[str, str]:
    found = ((name, find(name)) for name in names)
    return {name: value for name, value in found if value is not None}
