"""From whatever an end point raised to how it is answered, in the shape of the request's family.

Refusals before an answer begins and failures in the middle of a stream of events leave by this one
door, so that both have the same words, and neither ever shows more than those.
"""

from http import HTTPStatus

import falcon
import structlog

from smarthost.clock import Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.web.errors import Refusal
from smarthost.web.exchange import Exchange

log = structlog.get_logger("smarthost.web")

_WORDS = {
    HTTPStatus.NOT_FOUND: "There is nothing at this path. GET /openapi.json lists what there is.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This path does not take this method; the header Allow lists "
    "those that it takes.",
    HTTPStatus.BAD_REQUEST: "This request cannot be understood.",
}
_OWN_FAULT = Refusal(
    status=HTTPStatus.INTERNAL_SERVER_ERROR,
    message="Something went wrong here. The operator finds it in the log by the X-Request-Id.",
)


def refused(exchange: Exchange, error: Exception, clock: Clock) -> Refusal:
    """Return how `error` is answered; what only the operator may read goes to the log."""
    refusal = exchange.family.refusal_of(error, clock.now()) or _of_falcon(error)
    request_id = exchange.request_id
    if refusal is None:
        log.error("internal error", request_id=request_id, exc_info=error)
        return _OWN_FAULT
    if isinstance(error, StoreUnavailableError):
        log.error("store unavailable", request_id=request_id, reason=str(error))
    return refusal


def _of_falcon(error: Exception) -> Refusal | None:
    if not isinstance(error, falcon.HTTPError):
        return None
    status = HTTPStatus(error.status_code)
    return Refusal(
        status=status,
        message=_WORDS.get(status, status.description or status.phrase),
        headers=dict(error.headers or {}),
    )
