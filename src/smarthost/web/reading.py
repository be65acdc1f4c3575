"""Reads a request's body into memory, bounded while it arrives."""

from http import HTTPStatus

import falcon.asgi

from smarthost.web.content import LARGEST_BODY, check_body_type
from smarthost.web.errors import RequestError

_TOO_LARGE = f"The body is too large: at most {LARGEST_BODY // 1024} KiB are read."


async def read_body(request: falcon.asgi.Request) -> bytes:
    """Return the body's octets.

    Raises `RequestError`: 415 for a type that is not JSON, 413 over 64 KiB, 400 for none or one
    that was cut off (RFC 9112 section 8). The type is looked at first, as the contract orders.
    """
    length = request.content_length
    has_body = bool(length) or request.get_header("Transfer-Encoding") is not None
    if has_body:
        check_body_type(
            request.content_type or "", request.get_header("Content-Encoding", default="")
        )
    if length is not None and length > LARGEST_BODY:
        raise _too_large()
    body = await request.stream.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        raise _too_large()
    # The stream of a client that went away, or took too long, ends like a whole one.
    if length is not None and len(body) < length:
        raise RequestError(HTTPStatus.BAD_REQUEST, "The body was cut off. Send the whole of it.")
    if not body.strip():
        raise RequestError(HTTPStatus.BAD_REQUEST, "The body is missing. Send one JSON object.")
    return body


def _too_large() -> RequestError:
    # What is left of the body is not worth reading; the connection ends with the answer.
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, headers={"Connection": "close"}
    )
