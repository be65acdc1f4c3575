"""The session's cookie in a request."""

import falcon.asgi

from smarthost.web.auth import cookie_of


def shown_cookie(request: falcon.asgi.Request) -> str | None:
    """Return the value of our cookie, None or empty where there is none.

    All `Cookie` fields are looked at: Falcon keeps the last alone, which would hide a second
    token. Raises `RequestError` (401) for two.
    """
    fields = [value for name, value in request.scope["headers"] if name == b"cookie"]
    return cookie_of(b"; ".join(fields).decode("latin-1"))
