"""Writes what a page gave into the answer: HTML for its reader, another page to go to, a refusal.

A refusal has the navigation that its reader has everywhere, and a way back.
"""

from http import HTTPStatus
from typing import TYPE_CHECKING

import falcon.asgi

from smarthost.web.errors import Refusal
from smarthost.web.exchange import Exchange
from smarthost.web.pages.family import HTML
from smarthost.web.pages.page import Html, Reader, Redirect
from smarthost.web.pages.places import place, place_of, sign_in_first
from smarthost.web.request import Request

if TYPE_CHECKING:
    from smarthost.web.pages.rendering import Rendering

_FROM_ANOTHER_SITE = ("cross-site", "same-site")
_PASSING = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""What may have passed when the same page is asked for again."""


def answer(result: Html | Redirect, reader: Reader, response: falcon.asgi.Response) -> None:
    """Answer with what a page gave."""
    if isinstance(result, Redirect):
        response.status = HTTPStatus.SEE_OTHER
        response.set_header("Location", result.to)
        if result.cookie is not None:
            response.append_header("Set-Cookie", result.cookie)
        return
    response.status = result.status
    response.set_headers(dict(result.headers))
    _write(_rendering().page(result, reader), response)


def refuse(
    refusal: Refusal, reader: Reader, request: Request, response: falcon.asgi.Response
) -> None:
    """Answer with the page that says why there is none."""
    back, again = None, False
    if request.method == "POST":
        back = place_of(request.get_header("Referer", default=""))
    else:
        again = refusal.status in _PASSING
    response.status = refusal.status
    response.set_headers(refusal.headers)
    is_ours = refusal.status is HTTPStatus.INTERNAL_SERVER_ERROR
    number = Exchange.of(request).request_id if is_ours else None
    html = _rendering().refusal(refusal, reader, back=back, again=again, number=number)
    _write(html, response)


def send_to_sign_in(request: Request, response: falcon.asgi.Response) -> None:
    """Send somebody who is not signed in to where they can be, and from there back to here.

    What a form sent is not kept, since a password may be in it. A browser that follows a link from
    another site, such as a mail reader, leaves the cookie out (`SameSite=Strict`): it is asked to
    go on from a page of ours, so that the sign-in page gets it and sends it back here at once.
    That page is public, so nobody can be sent round and round.
    """
    if request.method == "POST":
        here = place_of(request.get_header("Referer", default=""))
        to = sign_in_first(here, done="ended")
    else:
        to = sign_in_first(place(_asked_for(request)))
    site = request.get_header("Sec-Fetch-Site", default="").lower()
    if request.method == "GET" and site in _FROM_ANOTHER_SITE:
        response.set_header("Refresh", f"0;url={to}")
        _write(_rendering().onward(to), response)
    else:
        response.status = HTTPStatus.SEE_OTHER
        response.set_header("Location", to)


def _asked_for(request: Request) -> str:
    """Return path and query as they came: visible ASCII (RFC 9112 section 3.2.1)."""
    path: str = request.scope["raw_path"].decode("ascii")
    return f"{path}?{request.query_string}" if request.query_string else path


def _write(html: bytes, response: falcon.asgi.Response) -> None:
    response.content_type = HTML
    response.data = html


def _rendering() -> "Rendering":
    # Loaded with the first page: a service that only APIs are asked of never needs it.
    from smarthost.web.pages.rendering import Rendering  # noqa: PLC0415

    return Rendering.load()
