"""Reads a request's body into memory, bounded while it arrives."""

from http import HTTPStatus

import falcon.asgi

from smarthost.web.content import check_body_type, check_is_form
from smarthost.web.errors import RequestError


def octets_to_come(request: falcon.asgi.Request, largest: int) -> int:
    """Return how many octets of the body `read_body` keeps at most."""
    length = request.content_length
    if length is None:
        length = 0 if request.get_header("Transfer-Encoding") is None else largest
    return min(length, largest)


async def read_body(
    request: falcon.asgi.Request, largest: int, *, optional: bool = False
) -> bytes:
    """Return the body's octets, `largest` of them at most; none if it is `optional` and missing.

    Raises `RequestError`: 415 for a type that is not JSON, 413 for one that is too large, 400 for
    none or one that was cut off (RFC 9112 section 8). The type is looked at first, as the contract
    orders.
    """
    if _has_body(request):
        check_body_type(
            request.content_type or "", request.get_header("Content-Encoding", default="")
        )
    body = await _whole_body(request, largest)
    if optional and not body:
        return body
    if not body.strip():
        raise RequestError(HTTPStatus.BAD_REQUEST, "The body is missing. Send one JSON object.")
    return body


async def read_form(request: falcon.asgi.Request, largest: int) -> bytes:
    """Return the octets of a form, still encoded; none of one without fields.

    Raises `RequestError` as `read_body` does.
    """
    if _has_body(request):
        check_is_form(
            request.content_type or "", request.get_header("Content-Encoding", default="")
        )
    return await _whole_body(request, largest)


def _has_body(request: falcon.asgi.Request) -> bool:
    length = request.content_length
    return bool(length) or request.get_header("Transfer-Encoding") is not None


async def _whole_body(request: falcon.asgi.Request, largest: int) -> bytes:
    length = request.content_length
    if length is not None and length > largest:
        raise _too_large(largest)
    body = await request.stream.read(largest + 1)
    if len(body) > largest:
        raise _too_large(largest)
    # The stream of a client that went away, or took too long, ends like a whole one.
    if length is not None and len(body) < length:
        raise RequestError(HTTPStatus.BAD_REQUEST, "The body was cut off. Send the whole of it.")
    return body


def _too_large(largest: int) -> RequestError:
    # What is left of the body is not worth reading; the connection ends with the answer.
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body is too large: at most {largest // 1024} KiB are read.",
        headers={"Connection": "close"},
    )
