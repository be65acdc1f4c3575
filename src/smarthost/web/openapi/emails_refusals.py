"""The refusals under /emails: one row a status, in the words and names that are told there."""

from http import HTTPStatus

from smarthost.web.emails.errors import EmailsFailure
from smarthost.web.emails.family import EMAILS
from smarthost.web.openapi.headers import ON_ALL_EMAILS
from smarthost.web.openapi.refusals import REFUSALS, SUSPENDED, Row, Table

_VALIDATION = "validation_error"
_NOT_YOURS = (
    "This portal may not send as joe@example.net. Use notify@example.com; the operator can allow "
    "all addresses of the sender's domain."
)
_SAME = {row.status: row for row in REFUSALS if row.name != "NothingThere"}


def _same(status: HTTPStatus, error_name: str, message: str | None = None) -> Row:
    """Return a row that means the same as elsewhere."""
    row = _SAME[status]
    return Row(
        name=f"Emails{row.name}",
        status=status,
        description=row.description,
        message=message or row.message,
        error_name=error_name,
        headers=row.headers,
        applies=row.applies,
    )


EMAILS_TABLE = Table(
    family=EMAILS,
    schema=EmailsFailure.__name__,
    on_all=ON_ALL_EMAILS,
    bad_bodies=lambda _operation: {},
    rows=(
        Row(
            name="EmailsBadRequest",
            status=HTTPStatus.BAD_REQUEST,
            description="The request is malformed: its body is missing or no JSON, or the "
            "idempotency key is too long. What is no HTTP request at all is refused in the shape "
            "of the other paths.",
            message="The body is not JSON in UTF-8. Send JSON.",
            error_name=_VALIDATION,
            others={
                "key": (
                    "invalid_idempotency_key",
                    "The header Idempotency-Key takes 1 to 256 characters.",
                )
            },
        ),
        Row(
            name="EmailsUnauthorized",
            status=HTTPStatus.UNAUTHORIZED,
            description="No credentials, or a key without the permission `send`.",
            message="Say who you are: send an API key or a session token in the cookie "
            "asc_auth_key or in the header Authorization, or sign in with "
            "POST /api/2.0/authentication.",
            error_name="missing_api_key",
            others={
                "restricted": (
                    "restricted_api_key",
                    "This key lacks the permission 'send'. Use one that has it, or one with '*'.",
                )
            },
            headers=("WWW-Authenticate",),
        ),
        Row(
            name="EmailsForbidden",
            status=HTTPStatus.FORBIDDEN,
            description="Credentials that are not valid, an e-mail from an address that the "
            "portal may not use, numbers that are the administrators' alone, a portal that the "
            "operator has suspended, or a request from another site with the cookie alone.",
            message="This API key, session or password is not valid: it is wrong, has expired, "
            "was revoked or belongs to another portal.",
            error_name="invalid_api_key",
            others={
                "sender": (
                    _VALIDATION,
                    f"from: {_NOT_YOURS}",
                ),
                "suspended": ("suspended_api_key", SUSPENDED),
            },
        ),
        _same(HTTPStatus.NOT_FOUND, "not_found"),
        Row(
            name="EmailsNothingThere",
            status=HTTPStatus.NOT_FOUND,
            description="There is no such e-mail, or the host name belongs to no portal.",
            message="There is no such message.",
            error_name="not_found",
            applies=lambda operation: operation.may_be_missing,
        ),
        _same(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed"),
        _same(HTTPStatus.NOT_ACCEPTABLE, _VALIDATION),
        Row(
            name="EmailsConflict",
            status=HTTPStatus.CONFLICT,
            description="The idempotency key was used with another request.",
            message="This idempotency key was used with another request before. Use a new key "
            "for a new request.",
            error_name="invalid_idempotent_request",
            applies=lambda operation: operation.may_conflict,
        ),
        Row(
            name="EmailsContentTooLarge",
            status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            description="The body is larger than 56 MiB.",
            message="The body is too large: at most 57344 KiB are read.",
            error_name=_VALIDATION,
            applies=lambda operation: operation.body is not None,
        ),
        _same(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _VALIDATION),
        Row(
            name="EmailsUnprocessable",
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            description="Fields are missing, unknown or wrong, all told at once; an id is none; "
            "or the e-mail is in no state for this.",
            message="subject: This is needed.",
            error_name="missing_required_field",
            others={
                "id": ("invalid_parameter", "id: This must be the id of an e-mail, a UUID."),
                "field": (_VALIDATION, "replay_to: There is no such field."),
            },
            applies=lambda operation: operation.may_be_unprocessable or operation.body is not None,
        ),
        _same(HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_exceeded"),
        _same(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_server_error"),
        _same(HTTPStatus.SERVICE_UNAVAILABLE, "application_error"),
        Row(
            name="EmailsInsufficientStorage",
            status=HTTPStatus.INSUFFICIENT_STORAGE,
            description="The disk is nearly full; nothing was accepted or changed.",
            message="The disk is full and nothing was changed. The operator has to make room.",
            error_name="application_error",
        ),
    ),
)
