"""Content types: what a request's body may be, and what the answer is called.

All answers are the same JSON text; a client that asks for `text/plain` gets it under that name.
"""

from functools import lru_cache
from http import HTTPStatus

from smarthost.web.errors import RequestError

LARGEST_BODY = 64 * 1024
"""Octets of a request body under /api/2.0."""

JSON = "application/json"
_ANSWERS = {
    JSON: JSON,
    "text/json": "text/json; charset=utf-8",
    "text/plain": "text/plain; charset=utf-8",
}
"""The media types that answers come in, the one to choose where it does not matter first, and
what each is called in full."""

_LONGEST_HEADER = 1024
"""Characters of a header that are read, which also bounds what the caches here hold."""


FORM = "application/x-www-form-urlencoded"
EVENTS = "text/event-stream"
EVENTS_ALONE = "This is answered with events as they happen. Ask for text/event-stream in Accept."


def answer_type(accept: str) -> str:
    """Return the Content-Type for an answer to a request with this `Accept`.

    The highest weight wins, the first in the header among equals (RFC 9110 section 12.5.1).
    Raises `RequestError` (406) when nothing that we answer is acceptable.
    """
    return _chosen(accept[:_LONGEST_HEADER])


def check_takes_events(accept: str) -> None:
    """Return if events are acceptable to this `Accept`; otherwise raise `RequestError` (406)."""
    ranges = [_range(item) for item in accept[:_LONGEST_HEADER].split(",")]
    if accept.strip() and not _weight_of(EVENTS, ranges)[0]:
        raise RequestError(
            HTTPStatus.NOT_ACCEPTABLE,
            EVENTS_ALONE,
        )


@lru_cache(maxsize=256)
def _chosen(accept: str) -> str:
    if not accept.strip():
        return JSON
    ranges = [_range(item) for item in accept.split(",")]
    weights = [_weight_of(media_type, ranges) for media_type in _ANSWERS]
    (weight, _), chosen = max(
        zip(weights, _ANSWERS.values(), strict=True), key=lambda offer: offer[0]
    )
    if not weight:
        raise RequestError(
            HTTPStatus.NOT_ACCEPTABLE,
            "Answers are JSON. Ask for application/json, text/json or text/plain in Accept.",
        )
    return chosen


def _range(item: str) -> tuple[str, float]:
    media_range, _, parameters = item.partition(";")
    return media_range.strip().lower(), _weight(parameters)


def _weight_of(media_type: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """Return a media type's weight and its place in the header, the first being the largest.

    The most specific range that covers it decides: `*/*;q=1, text/plain;q=0` leaves that out.
    """
    for covering in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        for place, (media_range, weight) in enumerate(ranges):
            if media_range == covering:
                return weight, -place
    return 0.0, 0


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(1.0, max(0.0, float(value.strip())))
            except ValueError:
                return 0.0
    return 1.0


def check_body_type(content_type: str, content_encoding: str) -> None:
    """Return if a body of this type is read; otherwise raise `RequestError` (415)."""
    _check_body_type(content_type[:_LONGEST_HEADER], content_encoding[:_LONGEST_HEADER])


@lru_cache(maxsize=256)
def _check_body_type(content_type: str, content_encoding: str) -> None:
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    is_json = media_type in ("application/json", "text/json") or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    charset = _charset(parameters)
    if not is_json or charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Send the body as JSON in UTF-8, with the header Content-Type: application/json.",
        )
    if content_encoding.strip().lower() not in ("", "identity"):
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "Compressed bodies are not read. Send the JSON as it is.",
        )


def check_is_form(content_type: str, content_encoding: str) -> None:
    """Return if a body of this type is what a form sends; else raise `RequestError` (415)."""
    media_type, _, parameters = content_type[:_LONGEST_HEADER].partition(";")
    is_plain = content_encoding[:_LONGEST_HEADER].strip().lower() in ("", "identity")
    is_utf8 = _charset(parameters) in ("", "utf-8")
    if media_type.strip().lower() != FORM or not is_utf8 or not is_plain:
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"This page takes forms, as {FORM} in UTF-8."
        )


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""
