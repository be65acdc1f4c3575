"""The HTTP application: routes from the table of operations, and what all answers share.

Falcon routes and keeps the headers; everything that decides is in the pipeline. Refusals, ours
and Falcon's own, leave by one door in the shape of the family that the path belongs to.
"""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import falcon
import falcon.asgi
import structlog

from smarthost.clock import Clock
from smarthost.ids import Ids
from smarthost.network import rate_key
from smarthost.web.disbelieved import Disbelieved
from smarthost.web.exchange import Exchange
from smarthost.web.family import CONTRACT, Family, family_of
from smarthost.web.operations import Operation
from smarthost.web.pipeline import Pipeline
from smarthost.web.proxies import Networks, forwarded
from smarthost.web.rate_limit import RateLimit
from smarthost.web.refusing import refused
from smarthost.web.request import Request
from smarthost.web.resource import Resource, Responder, resource_of

WebApp = falcon.asgi.App[Request, falcon.asgi.Response]
log = structlog.get_logger("smarthost.web")

_API = "/api/"

Answered = Callable[[str, str | None, int, float], None]
"""Is told of each request: method, template of its path if there is one, status, seconds."""


class Middleware:
    """What every request gets first and every answer last."""

    def __init__(
        self,
        families: Sequence[Family],
        trusted: Networks,
        addresses: RateLimit,
        clock: Clock,
        ids: Ids,
        answered: Answered,
    ) -> None:
        """`families`: those beside the contract's."""
        self._families = families
        self._trusted = trusted
        self._addresses = addresses
        self._clock = clock
        self._ids = ids
        self._answered = answered
        self._disbelieved = Disbelieved()
        # Bound once: the lazy logger would look for its configuration at every request.
        self._log = log.bind()
        self._debugging = self._log.is_enabled_for(logging.DEBUG)

    async def process_request(
        self, request: falcon.asgi.Request, _response: falcon.asgi.Response
    ) -> None:
        """Find out who is asking from where."""
        scope = request.scope
        client = forwarded(
            peer=scope["client"][0],
            scheme=scope["scheme"],
            headers=scope["headers"],
            trusted=self._trusted,
        )
        if client.disbelieved:
            self._disbelieved.note(client)
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        request.context.exchange = Exchange(
            family=family_of(request.path, self._families),
            client=client,
            request_id=self._ids.new(),
            url=f"{client.scheme}://{client.host}{target.decode('ascii')}",
            started=self._clock.monotonic(),
        )

    async def process_resource(
        self,
        request: falcon.asgi.Request,
        _response: falcon.asgi.Response,
        resource: object,
        _path: dict[str, Any],
    ) -> None:
        """Refuse a method that Falcon has never heard of, which it would answer with 400."""
        if isinstance(resource, Resource) and request.method not in resource.methods:
            raise falcon.HTTPMethodNotAllowed(resource.methods)

    async def process_response(
        self,
        request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        _resource: object,
        _succeeded: bool,
    ) -> None:
        """Set the headers that all answers have, and write the log line, a stream's at its end."""
        exchange = Exchange.of(request)
        quota = exchange.quota or self._addresses.take(rate_key(exchange.client.address))
        headers = {
            **exchange.family.limit_headers(quota, self._clock.now()),
            **exchange.family.headers,
            "Cache-Control": response.get_header("Cache-Control") or "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": exchange.request_id,
        }
        response.set_headers(headers)
        if exchange.stream is None:
            self._note(exchange, request, response.status_code)
        else:
            exchange.stream.at_end(partial(self._note, exchange, request, response.status_code))

    def _note(self, exchange: Exchange, request: falcon.asgi.Request, status: int) -> None:
        seconds = self._clock.monotonic() - exchange.started
        self._answered(request.method, request.uri_template, status, seconds)
        # Pages poll once a second: a read that went well is a line for debugging alone.
        is_news = status >= HTTPStatus.BAD_REQUEST or request.method not in ("GET", "HEAD")
        if not is_news and not self._debugging:
            return
        self._log.log(
            logging.INFO if is_news else logging.DEBUG,
            "request",
            request_id=exchange.request_id,
            method=request.method,
            path=request.path,
            status=status,
            milliseconds=round(seconds * 1000, 1),
            client=exchange.client.address,
            host=exchange.client.host,
            user=None if exchange.caller is None else exchange.caller.user.email,
        )


def make_application(middleware: Middleware, clock: Clock, people: Family = CONTRACT) -> WebApp:
    """Return an ASGI application that has nothing at any path.

    `people` is the family in whose shapes a browser is told that there is nothing at a path which
    somebody has typed.
    """
    app: WebApp = falcon.asgi.App(request_type=Request, middleware=[middleware])
    # Falcon has handlers of its own for HTTPError, which one for Exception would not replace.
    for kind in (falcon.HTTPError, Exception):
        app.add_error_handler(kind, _error_handler(clock, people))
    return app


def add_operations(app: WebApp, operations: Iterable[Operation], pipeline: Pipeline) -> None:
    """Have the application serve `operations`."""
    by_path: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        by_path[operation.path].append(operation)
    for path, of_path in by_path.items():
        responders = {operation.method: _responder(operation, pipeline) for operation in of_path}
        app.add_route(path, resource_of(responders))


def _responder(operation: Operation, pipeline: Pipeline) -> Responder:
    decode = None if operation.body is None else operation.family.decoder(operation.body)

    async def respond(request: Request, response: falcon.asgi.Response, **path: str) -> None:
        await pipeline.run(operation, decode, request, response, path)

    return respond


def _error_handler(clock: Clock, people: Family) -> Callable[..., Awaitable[None]]:
    async def handle(
        request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        error: Exception,
        _params: dict[str, Any],
    ) -> None:
        exchange = Exchange.of(request)
        if isinstance(error, falcon.HTTPNotFound) and _is_typed(request, exchange):
            exchange.family = people
        refusal = refused(exchange, error, clock)
        response.status = refusal.status
        response.content_type = exchange.family.media_type
        response.data = exchange.family.failure(refusal)
        response.set_headers(refusal.headers)

    return handle


def _is_typed(request: falcon.asgi.Request, exchange: Exchange) -> bool:
    """Whether a browser shows the answer to a person: no other client asks for HTML first."""
    accepted = request.get_header("Accept", default="").lstrip().lower()
    is_api = exchange.family is not CONTRACT or request.path.startswith(_API)
    return request.method == "GET" and accepted.startswith("text/html") and not is_api
