"""The answers that the server gives by itself, in the contract's envelope.

uvicorn would say them in plain text. Each ends the connection: whoever gets one was not
understood, and guessing where its next request begins is how one request becomes two.
"""

from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from smarthost.web.envelope import failure
from smarthost.web.limits import Limits
from smarthost.web.request_head import Refusal

OWN_FAULT = Refusal(
    status=HTTPStatus.INTERNAL_SERVER_ERROR, message="The server failed. Try again later."
)
MALFORMED = Refusal(
    status=HTTPStatus.BAD_REQUEST, message="This is not a well-formed HTTP request."
)
OVERDUE = Refusal(
    status=HTTPStatus.REQUEST_TIMEOUT, message="The request took too long to arrive."
)
CROWDED = Refusal(
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    message="Too many connections are open. Try again in a few seconds.",
)

Fields = list[tuple[bytes, bytes]]

_RETRY_SECONDS = 5


def too_large(limits: Limits) -> Refusal:
    """Return the answer to a head that is larger than it may be."""
    return Refusal(
        status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        message=f"The request's header must not exceed {limits.head_octets} octets "
        f"and {limits.head_fields} fields.",
    )


def refusal_octets(refusal: Refusal, default_fields: Fields) -> bytes:
    """Return a whole answer that says no and that the connection ends."""
    body = failure(refusal.status, refusal.message)
    fields = default_fields + refusal_fields(refusal, body)
    lines = [b"%b: %b\r\n" % field for field in fields]
    return b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", body])


def refusal_fields(refusal: Refusal, body: bytes) -> Fields:
    """Return the header of an answer that says no in `body`."""
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    if refusal.status is HTTPStatus.SERVICE_UNAVAILABLE:
        fields.append((b"retry-after", b"%d" % _RETRY_SECONDS))
    return fields
