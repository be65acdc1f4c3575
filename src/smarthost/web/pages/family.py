"""What all pages have in common: HTML, and headers that leave a browser few ways to do wrong."""

from http import HTTPStatus
from typing import Any

import falcon

from smarthost.explanations.page_words import page_words
from smarthost.web import errors
from smarthost.web.errors import Refusal
from smarthost.web.family import Family
from smarthost.web.pages.form import LARGEST_FORM
from smarthost.web.pages.page import REFUSAL, AskedInVainError
from smarthost.web.pages.paths import ASSETS, HOME, PLACES, SIGN_IN
from smarthost.web.rate_limit import Quota

HTML = "text/html; charset=utf-8"

HEADERS = {
    # Nothing but our own files, no script or style in the page itself, and no frame around it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not `no-referrer`: with that a browser says `Origin: null` of our own forms.
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}


def _refusal_of(error: Exception, now: int) -> Refusal | None:
    if isinstance(error, AskedInVainError):
        return error.refusal
    if isinstance(error, falcon.HTTPError):
        return _of_falcon(HTTPStatus(error.status_code), dict(error.headers or {}))
    return errors.refusal_of(error, now)


def _of_falcon(status: HTTPStatus, headers: dict[str, str]) -> Refusal | None:
    """Return how people are told what Falcon has found; None: in the words for programs."""
    messages = page_words(REFUSAL)["messages"]
    assert isinstance(messages, dict)  # noqa: S101 - the catalogue's own
    message = messages.get(str(status.value))
    return Refusal(status=status, message=message, headers=headers) if message else None


def _failure(refusal: Refusal) -> bytes:
    # Loaded with the first page: a service that only APIs are asked of never needs it.
    from smarthost.web.pages.rendering import Rendering  # noqa: PLC0415

    return Rendering.load().refusal(refusal)


def _no_limit_headers(_quota: Quota, _now: int) -> dict[str, str]:
    return {}


def _no_json(*_: object) -> Any:  # noqa: ANN401 - it is never called
    raise AssertionError(HTTPStatus.INTERNAL_SERVER_ERROR)


PAGES = Family(
    prefixes=(HOME, SIGN_IN, "/sign-out", *PLACES, ASSETS),
    largest_body=LARGEST_FORM,
    decoder=_no_json,
    success=_no_json,
    refusal_of=_refusal_of,
    failure=_failure,
    limit_headers=_no_limit_headers,
    media_type=HTML,
    headers=HEADERS,
)
"""Pages take forms and give HTML; their own pipeline reads and writes both."""
