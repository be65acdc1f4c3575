"""The one table from what rooms refuse to HTTP.

A room's error carries plain words; its status and headers are decided here alone. Whatever is
not in the table is a fault of ours: 500 with a fixed text, and the details only in the log.
"""

from http import HTTPStatus

import msgspec

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import (
    OutcomeUnknownError,
    StoreFullError,
    StoreUnavailableError,
)
from smarthost.identity.model import IssuerUnavailableError
from smarthost.portals.access import ForbiddenError, SettingsSwitchedOffError, SuspendedError
from smarthost.portals.model import ConflictError, NotFoundError
from smarthost.portals.sign_in.model import TooManyFailuresError
from smarthost.relay_check.model import NothingToCheckError, TooManyTestsError
from smarthost.smtp_settings.binding.consent.model import NothingToConsentError
from smarthost.smtp_settings.binding.model import NoOwnSettingsError
from smarthost.smtp_settings.model import NoSuchRevisionError, RevisionConflictError

RETRY_STORE_SECONDS = 5
# Basic is accepted and not offered: a browser would open its own dialogue for it.
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Smarthost"'}


class RequestError(Exception):
    """A request that is refused before or without reaching another room."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        fields: dict[str, list[str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.fields = fields
        self.headers = headers or {}


class UnauthorizedError(RequestError):
    """Nobody valid is asking (RFC 9110 section 11.6.1)."""

    def __init__(self, message: str, *, nothing_shown: bool = False) -> None:
        """`nothing_shown`: there is no credential in the request at all."""
        super().__init__(HTTPStatus.UNAUTHORIZED, message, headers=CHALLENGE)
        self.nothing_shown = nothing_shown


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A failure as it is answered."""

    status: HTTPStatus
    message: str
    name: str | None = None
    """What a program knows the failure by, in a family that has such names."""
    fields: dict[str, list[str]] | None = None
    headers: dict[str, str] = {}


def invalid_fields(faults: dict[str, list[str]]) -> RequestError:
    """Return the error for wrong fields, by their names as they were sent."""
    told = " ".join(f"{name}: {message}" for name, all_of in faults.items() for message in all_of)
    return RequestError(HTTPStatus.BAD_REQUEST, told, fields=faults)


def refusal_of(error: Exception, now: int) -> Refusal | None:
    """Return how `error` is answered at `now` (microseconds since 1970), None for our faults."""
    if isinstance(error, RequestError):
        return Refusal(
            status=error.status, message=error.message, fields=error.fields, headers=error.headers
        )
    for kind, status in STATUSES.items():
        if isinstance(error, kind):
            return Refusal(
                status=status, message=_message(error), headers=_headers(error, status, now)
            )
    return None


STATUSES: dict[type[Exception], HTTPStatus] = {
    SuspendedError: HTTPStatus.FORBIDDEN,
    SettingsSwitchedOffError: HTTPStatus.PAYMENT_REQUIRED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
    NoSuchRevisionError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    NothingToCheckError: HTTPStatus.CONFLICT,
    NoOwnSettingsError: HTTPStatus.CONFLICT,
    NothingToConsentError: HTTPStatus.CONFLICT,
    RevisionConflictError: HTTPStatus.PRECONDITION_FAILED,
    TooManyFailuresError: HTTPStatus.TOO_MANY_REQUESTS,
    TooManyTestsError: HTTPStatus.TOO_MANY_REQUESTS,
    IssuerUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    OutcomeUnknownError: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreFullError: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Every error of another room that a request can end with. `InvalidSettingsError` is not here:
its fields are named by the end point, as `invalid_fields`."""


def _message(error: Exception) -> str:
    # The store's own words name files, for the operator.
    if isinstance(error, OutcomeUnknownError):
        return "The store failed: it is not known whether this was stored. Read it again soon."
    if isinstance(error, StoreFullError):
        return "The disk is full and nothing was changed. The operator has to make room."
    if isinstance(error, StoreUnavailableError):
        return "The store cannot be reached just now and nothing was changed. Try again soon."
    return str(error)


def _headers(error: Exception, status: HTTPStatus, now: int) -> dict[str, str]:
    if isinstance(error, TooManyFailuresError | TooManyTestsError):
        return {"Retry-After": str(seconds_until(error.until, now))}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        return {"Retry-After": str(RETRY_STORE_SECONDS)}
    return {}


def seconds_until(moment: int, now: int) -> int:
    """Return the whole seconds from `now` to `moment`, both microseconds, at least 1."""
    return max(1, -(-(moment - now) // MICROSECONDS))
