"""A request that can also be asked whether its client is still there.

Falcon keeps ASGI's `receive` to itself; an answer that is told bit by bit needs it, to end with
whoever listens.
"""

from typing import Any

import falcon.asgi

from smarthost.web.event_stream import Receive


class Request(falcon.asgi.Request):
    """Falcon's, with `receive`; to be called only once the body has been read."""

    __slots__ = ("receive",)

    def __init__(self, scope: dict[str, Any], receive: Receive, *rest: Any, **named: Any) -> None:  # noqa: ANN401
        super().__init__(scope, receive, *rest, **named)
        self.receive = receive
