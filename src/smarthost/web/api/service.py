"""What machines ask: whether the process lives, whether it can serve, and what it offers.

These answer on any host name, without credentials and without the envelope, since load balancers
and generators of clients expect them bare.
"""

from collections.abc import Awaitable, Callable

import falcon.asgi
import msgspec

from smarthost.database.engine import StoreUnavailableError
from smarthost.web.errors import RETRY_STORE_SECONDS
from smarthost.web.resource import Resource

_READING = ("GET", "HEAD")
OK = {"status": "ok"}
NO_STORE = {"status": "not ready", "reason": "the store cannot be reached"}
STOPPING = {"status": "not ready", "reason": "the service is about to stop"}


class Health(Resource):
    """`/healthz`: the process answers. Nothing behind it is asked."""

    def __init__(self) -> None:
        super().__init__(_READING)

    async def on_get(self, _request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer that the process lives."""
        response.data = msgspec.json.encode(OK)

    on_head = on_get


class Ready(Resource):
    """`/readyz`: requests can be served now and in a moment, the store included."""

    def __init__(
        self, probe: Callable[[], Awaitable[object]], is_stopping: Callable[[], bool]
    ) -> None:
        """Take a read that raises `StoreUnavailableError` when the store does not answer.

        `is_stopping` tells whether whoever spreads requests should leave this process out.
        """
        super().__init__(_READING)
        self._probe = probe
        self._is_stopping = is_stopping

    async def on_get(self, _request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer 200, or 503 while the store cannot be reached or before a stop."""
        told = await self._told()
        response.data = msgspec.json.encode(told)
        if told is not OK:
            response.status = falcon.HTTP_503
            response.set_header("Retry-After", str(RETRY_STORE_SECONDS))

    async def _told(self) -> dict[str, str]:
        if self._is_stopping():
            return STOPPING
        try:
            await self._probe()
        except StoreUnavailableError:
            return NO_STORE
        return OK

    on_head = on_get


class OpenApi(Resource):
    """`/openapi.json`: the description that clients are made from."""

    def __init__(self, document: bytes) -> None:
        super().__init__(_READING)
        self._document = document

    async def on_get(self, _request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        """Answer the document."""
        response.data = self._document

    on_head = on_get
