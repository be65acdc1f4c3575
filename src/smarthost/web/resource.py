"""One path: which methods it takes, said the same way by every path.

Falcon's own answer to `OPTIONS` is another one, and a method that it has never heard of would get
400 from it; with the methods known here, both are answered as the contract says.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import falcon
import falcon.asgi

Responder = Callable[..., Awaitable[None]]
"""Takes request, response and the variable parts of the path."""


class Resource:
    """What Falcon routes to: it looks for the methods as `on_get`, `on_post`, …."""

    def __init__(self, methods: Iterable[str]) -> None:
        """Take the methods that there are responders for; `OPTIONS` is always added."""
        self.methods = sorted({*methods, "OPTIONS"})

    async def on_options(
        self,
        _request: falcon.asgi.Request,
        response: falcon.asgi.Response,
        **_path: str,
    ) -> None:
        """Answer with the methods."""
        response.status = falcon.HTTP_204
        response.set_header("Allow", ", ".join(self.methods))


def resource_of(responders: Mapping[str, Responder]) -> Resource:
    """Return the path with these responders, by method; HEAD is answered as GET."""
    by_method = dict(responders)
    if "GET" in by_method:
        by_method["HEAD"] = by_method["GET"]
    resource = Resource(by_method)
    for method, responder in by_method.items():
        setattr(resource, f"on_{method.lower()}", responder)
    return resource
