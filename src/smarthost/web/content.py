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
    "application/json": JSON,
    "text/json": "text/json; charset=utf-8",
    "text/plain": "text/plain; charset=utf-8",
    "application/*": JSON,
    "text/*": "text/json; charset=utf-8",
    "*/*": JSON,
}
_LONGEST_HEADER = 1024


@lru_cache(maxsize=256)
def answer_type(accept: str) -> str:
    """Return the Content-Type for an answer to a request with this `Accept`.

    The highest weight wins, the first among equals (RFC 9110 section 12.5.1). Raises
    `RequestError` (406) when nothing that we answer is acceptable.
    """
    if not accept.strip():
        return JSON
    best, chosen = 0.0, ""
    for item in accept[:_LONGEST_HEADER].split(","):
        media_type, _, parameters = item.partition(";")
        answer = _ANSWERS.get(media_type.strip().lower())
        weight = _weight(parameters)
        if answer is not None and weight > best:
            best, chosen = weight, answer
    if not chosen:
        raise RequestError(
            HTTPStatus.NOT_ACCEPTABLE,
            "Answers are JSON. Ask for application/json, text/json or text/plain in Accept.",
        )
    return chosen


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return min(1.0, max(0.0, float(value.strip())))
            except ValueError:
                return 0.0
    return 1.0


@lru_cache(maxsize=256)
def check_body_type(content_type: str, content_encoding: str) -> None:
    """Return if a body of this type is read; otherwise raise `RequestError` (415)."""
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


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""
