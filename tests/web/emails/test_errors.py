import json
from http import HTTPStatus

import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import OutcomeUnknownError, StoreFullError, StoreUnavailableError
from smarthost.mail_queue.accepted import model
from smarthost.mail_queue.accepted.model import IdempotencyMismatchError, NoSuchMessageError
from smarthost.portals.access import ForbiddenError, SuspendedError
from smarthost.sending.model import Fault, FaultKind, refused
from smarthost.web.emails.errors import (
    TABLE,
    EmailsError,
    failure,
    refusal_error,
    refusal_of,
)
from smarthost.web.errors import STATUSES, Refusal, RequestError, UnauthorizedError

NOW = 1_000_000 * MICROSECONDS
# Those of Resend's documentation that this service tells, and the statuses that they come with.
NAMES = {
    "validation_error": {400, 403, 406, 413, 415, 422},
    "missing_api_key": {401},
    "restricted_api_key": {401},
    "suspended_api_key": {403},
    "not_found": {404},
    "method_not_allowed": {405},
    "invalid_idempotent_request": {409},
    "rate_limit_exceeded": {429},
    "internal_server_error": {500},
    "application_error": {503, 507},
}


def told(refusal: Refusal | None) -> tuple[int, str]:
    assert refusal is not None
    answer = json.loads(failure(refusal))
    assert answer["statusCode"] == refusal.status
    return refusal.status.value, answer["name"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 413, 415, 422, 429, 500, 503])
def test_every_status_has_a_name(status: int) -> None:
    found, name = told(Refusal(status=HTTPStatus(status), message="Why"))
    assert found in NAMES[name]


@pytest.mark.parametrize("kind", [*STATUSES, *TABLE])
def test_every_error_of_a_room_has_a_name(kind: type[Exception]) -> None:
    error = kind.__new__(kind, "why")
    error.until = NOW  # type: ignore[attr-defined]
    if (refusal := refusal_of(error, NOW)) and refusal.status not in (402, 412):
        status, name = told(refusal)
        assert status in (NAMES[name] | {409})


def test_every_error_of_accepting_has_its_row() -> None:
    errors = {
        kind
        for kind in vars(model).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    }
    assert errors <= set(TABLE)


def test_our_own_faults_are_in_no_table() -> None:
    assert refusal_of(ValueError("secret"), NOW) is None


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (UnauthorizedError("Who?", nothing_shown=True), 401, "missing_api_key"),
        (UnauthorizedError("Not valid."), 403, "invalid_api_key"),
        (ForbiddenError("This key lacks…"), 401, "restricted_api_key"),
        (SuspendedError("This portal is…"), 403, "suspended_api_key"),
        (IdempotencyMismatchError(), 409, "invalid_idempotent_request"),
        (NoSuchMessageError(), 404, "not_found"),
        (StoreFullError("/var full"), 507, "application_error"),
        (StoreUnavailableError("/var gone"), 503, "application_error"),
        (OutcomeUnknownError("/var broken"), 503, "application_error"),
        (RequestError(HTTPStatus.FORBIDDEN, "Foreign."), 403, "validation_error"),
        (EmailsError(HTTPStatus.BAD_REQUEST, "invalid_idempotency_key", "a"), 400,
         "invalid_idempotency_key"),
    ],
)  # fmt: skip
def test_an_error_is_told_so(error: Exception, status: int, name: str) -> None:
    refusal = refusal_of(error, NOW)

    assert told(refusal) == (status, name)
    assert refusal is not None
    assert "/var" not in refusal.message
    assert ("WWW-Authenticate" in refusal.headers) == (status == 401)
    assert ("Retry-After" in refusal.headers) == (status == 503)


@pytest.mark.parametrize(
    ("faults", "status", "name"),
    [
        ([("to", FaultKind.MISSING), ("subject", FaultKind.MISSING)], 422,
         "missing_required_field"),
        ([("to", FaultKind.MISSING), ("cc", FaultKind.INVALID)], 422, "validation_error"),
        ([("from", FaultKind.INVALID)], 422, "invalid_from_address"),
        ([("attachments[0].content", FaultKind.INVALID)], 422, "invalid_attachment"),
        ([("attachments", FaultKind.INVALID), ("to", FaultKind.INVALID)], 422,
         "validation_error"),
        ([("from", FaultKind.NOT_ALLOWED)], 403, "validation_error"),
        ([("from", FaultKind.NOT_ALLOWED), ("to", FaultKind.MISSING)], 422, "validation_error"),
    ],
)  # fmt: skip
def test_an_e_mail_is_refused_by_the_name_of_its_faults(
    faults: list[tuple[str, FaultKind]], status: int, name: str
) -> None:
    refusal = refused(Fault(field=field, message="No.", kind=kind) for field, kind in faults)
    error = refusal_error(refusal)

    assert (error.status, error.name) == (status, name)
    assert error.fields == {field: ["No."] for field, _ in faults}
    assert error.message == " ".join(f"{field}: No." for field, _ in faults)
