"""Refusals as Resend's API tells them: a status, a name for programs, one message for people.

Its official clients read exactly these; `errors`, which they pass over, has the single fields.
The one table from errors to names is here.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import Meta

from smarthost.database.engine import StoreFullError
from smarthost.mail_queue.accepted.model import (
    IdempotencyMismatchError,
    NoSuchMessageError,
    NotAcceptableError,
    NotPossibleError,
)
from smarthost.portals.access import ForbiddenError, SuspendedError
from smarthost.sending.model import FaultKind, Refused
from smarthost.web import errors
from smarthost.web.errors import CHALLENGE, Refusal, RequestError, UnauthorizedError

VALIDATION = "validation_error"
NAMES = {
    HTTPStatus.UNAUTHORIZED: "missing_api_key",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal_server_error",
    HTTPStatus.SERVICE_UNAVAILABLE: "application_error",
    HTTPStatus.INSUFFICIENT_STORAGE: "application_error",
}
"""The name of a status where nothing closer is known; of all others, `validation_error`."""

TABLE: dict[type[Exception], tuple[HTTPStatus, str]] = {
    ForbiddenError: (HTTPStatus.UNAUTHORIZED, "restricted_api_key"),
    SuspendedError: (HTTPStatus.FORBIDDEN, "suspended_api_key"),
    IdempotencyMismatchError: (HTTPStatus.CONFLICT, "invalid_idempotent_request"),
    NoSuchMessageError: (HTTPStatus.NOT_FOUND, "not_found"),
    NotAcceptableError: (HTTPStatus.UNPROCESSABLE_ENTITY, VALIDATION),
    NotPossibleError: (HTTPStatus.UNPROCESSABLE_ENTITY, VALIDATION),
    StoreFullError: (HTTPStatus.INSUFFICIENT_STORAGE, "application_error"),
}
"""Errors of other rooms that are told otherwise here than by the contract, or here alone."""


class EmailsError(RequestError):
    """A refusal with a name of its own."""

    def __init__(
        self,
        status: HTTPStatus,
        name: str,
        message: str,
        fields: dict[str, list[str]] | None = None,
    ) -> None:
        super().__init__(status, message, fields=fields)
        self.name = name


class EmailsFailure(
    msgspec.Struct, frozen=True, kw_only=True, rename={"status_code": "statusCode"}
):
    """A refusal."""

    status_code: Annotated[int, Meta(ge=400, le=599, description="The HTTP status.")]
    name: Annotated[str, Meta(description="What a program knows it by.")]
    message: Annotated[str, Meta(description="What is wrong and what to do, in plain words.")]
    errors: Annotated[
        dict[str, list[str]] | msgspec.UnsetType,
        Meta(description="Every wrong field, by its name, where single fields are wrong."),
    ] = msgspec.UNSET


def failure(refusal: Refusal) -> bytes:
    """Return the JSON text of a refusal."""
    return msgspec.json.encode(
        EmailsFailure(
            status_code=refusal.status.value,
            name=refusal.name or NAMES.get(refusal.status, VALIDATION),
            message=refusal.message,
            errors=refusal.fields or msgspec.UNSET,
        )
    )


def refusal_of(error: Exception, now: int) -> Refusal | None:
    """Return how `error` is answered at `now` (microseconds since 1970), None for our faults."""
    refusal = errors.refusal_of(error, now)
    for kind, (status, name) in TABLE.items():
        if isinstance(error, kind):
            message = str(error) if refusal is None else refusal.message
            headers = CHALLENGE if status is HTTPStatus.UNAUTHORIZED else {}
            return Refusal(status=status, name=name, message=message, headers=headers)
    if refusal is None:
        return None
    if isinstance(error, UnauthorizedError) and not error.nothing_shown:
        return msgspec.structs.replace(
            refusal, status=HTTPStatus.FORBIDDEN, name="invalid_api_key", headers={}
        )
    return msgspec.structs.replace(
        refusal, name=error.name if isinstance(error, EmailsError) else None
    )


def refusal_error(refusal: Refused) -> EmailsError:
    """Return the error for an e-mail that cannot be sent."""
    kinds = {fault.kind for fault in refusal.faults}
    status, name = HTTPStatus.UNPROCESSABLE_ENTITY, VALIDATION
    if kinds == {FaultKind.NOT_ALLOWED}:
        status = HTTPStatus.FORBIDDEN
    elif kinds == {FaultKind.MISSING}:
        name = "missing_required_field"
    elif _all_in("from", refusal):
        name = "invalid_from_address"
    elif _all_in("attachments", refusal):
        name = "invalid_attachment"
    return EmailsError(status, name, refusal.message, refusal.by_field())


def _all_in(field: str, refusal: Refused) -> bool:
    names: Iterable[str] = (fault.field for fault in refusal.faults)
    return all(name == field or name.startswith((f"{field}[", f"{field}.")) for name in names)
