"""What every refusal looks like, and which ones an operation can answer with.

One table a family, one row a status. The words of the examples are those that the service says; a
test makes it say them.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec

from smarthost.portals.access import OF_THE_SETTINGS
from smarthost.relay_check.model import NothingToCheckError
from smarthost.smtp_settings.binding.consent.model import NothingToConsentError
from smarthost.smtp_settings.binding.model import NoOwnSettingsError
from smarthost.web.content import EVENTS_ALONE
from smarthost.web.decoding import BodyDecoder
from smarthost.web.errors import Refusal, RequestError
from smarthost.web.family import CONTRACT, Family
from smarthost.web.openapi.headers import ON_ALL, header_references
from smarthost.web.openapi.schemas import reference
from smarthost.web.operations import Operation

Applies = Callable[[Operation], bool]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row: a status, what it means, and an example of what is told."""

    name: str
    status: HTTPStatus
    description: str
    message: str
    error_name: str | None = None
    """What a program knows it by, in a family that has such names."""
    others: dict[str, tuple[str | None, str]] = {}
    """Further examples of the same status: what a program knows it by, and the message."""
    headers: tuple[str, ...] = ()
    applies: Applies = lambda _operation: True


SUSPENDED = (
    "This portal is suspended: nobody can use it, and its mail is kept and waits. Ask the "
    "operator of the installation to resume it."
)
SINCE = (
    "Since revision 6: revision 7 saved by anna@example.org (host, port). Read the settings again "
    "before you change them."
)
BAD_REQUEST = Row(
    name="BadRequest",
    status=HTTPStatus.BAD_REQUEST,
    description="The request is malformed. A body is missing, is not JSON, or has a field "
    "that is missing, unknown, doubled, of the wrong type or out of range; every wrong field "
    "is named at once.",
    message="This is not a well-formed HTTP request.",
)
METHOD_NOT_ALLOWED = Row(
    name="MethodNotAllowed",
    status=HTTPStatus.METHOD_NOT_ALLOWED,
    description="Another method than those of this path.",
    message="This path does not take this method; the header Allow lists those that it takes.",
    headers=("Allow",),
)
INTERNAL_SERVER_ERROR = Row(
    name="InternalServerError",
    status=HTTPStatus.INTERNAL_SERVER_ERROR,
    description="A fault of the service; the operator finds it in the log.",
    message="Something went wrong here. The operator finds it in the log by the X-Request-Id.",
)
REFUSALS = (
    BAD_REQUEST,
    Row(
        name="Unauthorized",
        status=HTTPStatus.UNAUTHORIZED,
        description="No credentials, or none that are valid; several of different users.",
        message="This API key, session or password is not valid: it is wrong, has expired, was "
        "revoked or belongs to another portal.",
        headers=("WWW-Authenticate",),
    ),
    Row(
        name="PaymentRequired",
        status=HTTPStatus.PAYMENT_REQUIRED,
        description="The operator has switched SMTP settings off for this portal.",
        message="SMTP settings are switched off for this portal. Ask the operator of the "
        "installation to switch them on.",
        applies=lambda operation: operation.action in OF_THE_SETTINGS,
    ),
    Row(
        name="Forbidden",
        status=HTTPStatus.FORBIDDEN,
        description="The credentials are valid and may not do this, the operator has suspended "
        "the portal, or a request from another site carries the cookie alone.",
        message="This key lacks the permission 'write'. Use one that has it, or one with '*'.",
        others={"suspended": (None, SUSPENDED)},
    ),
    Row(
        name="NotFound",
        status=HTTPStatus.NOT_FOUND,
        description="The host name belongs to no portal.",
        message="There is no portal at this address. Check the host name.",
        applies=lambda operation: not operation.may_be_missing,
    ),
    Row(
        name="NothingThere",
        status=HTTPStatus.NOT_FOUND,
        description="The path names nothing in this portal, or the host name belongs to none.",
        message="There is no such key.",
        applies=lambda operation: operation.may_be_missing,
    ),
    METHOD_NOT_ALLOWED,
    Row(
        name="NotAcceptable",
        status=HTTPStatus.NOT_ACCEPTABLE,
        description="`Accept` takes none of application/json, text/json, text/plain; for events, "
        "not text/event-stream.",
        message="Answers are JSON. Ask for application/json, text/json or text/plain in Accept.",
        others={"events": (None, EVENTS_ALONE)},
    ),
    Row(
        name="Conflict",
        status=HTTPStatus.CONFLICT,
        description="The user was removed meanwhile, or there are no settings to be checked, to "
        "get OAuth2, or to be consented to.",
        message="The user admin@example.com was removed meanwhile.",
        others={
            "nothingToCheck": (None, str(NothingToCheckError())),
            "noOwnSettings": (None, str(NoOwnSettingsError())),
            "nothingToConsent": (None, str(NothingToConsentError())),
        },
        applies=lambda operation: operation.may_conflict,
    ),
    Row(
        name="PreconditionFailed",
        status=HTTPStatus.PRECONDITION_FAILED,
        description="`If-Match` does not name the settings' revision; nothing was changed. Who "
        "has changed what since is told.",
        message="These are not the settings in force: none have been saved yet. Read them again.",
        others={"since": (None, SINCE)},
        applies=lambda operation: operation.conditional,
    ),
    Row(
        name="ContentTooLarge",
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        description="The body is larger than 64 KiB.",
        message="The body is too large: at most 64 KiB are read.",
        applies=lambda operation: operation.body is not None,
    ),
    Row(
        name="UnsupportedMediaType",
        status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        description="The body is not JSON in UTF-8, or is compressed.",
        message="Send the body as JSON in UTF-8, with the header Content-Type: application/json.",
        applies=lambda operation: operation.body is not None,
    ),
    Row(
        name="TooManyRequests",
        status=HTTPStatus.TOO_MANY_REQUESTS,
        description="Too many requests within a minute, too many wrong passwords, too many test "
        "messages or checks, or another check of the user's runs.",
        message="Too many requests: at most 1500 a minute. Wait 12 seconds.",
        headers=("Retry-After",),
    ),
    INTERNAL_SERVER_ERROR,
    Row(
        name="ServiceUnavailable",
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        description="The store cannot be reached, or the identity provider whose bearer token "
        "was sent; nothing was changed.",
        message="The store cannot be reached just now and nothing was changed. Try again soon.",
        headers=("Retry-After",),
    ),
)


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The refusals of one family."""

    family: Family
    rows: tuple[Row, ...]
    schema: str
    """The name of what a refusal looks like."""
    on_all: tuple[str, ...]
    """The headers that every answer has."""
    bad_bodies: Callable[[Operation], dict[str, Any]]
    """Examples of 400 for an operation with a body; none: the row's own."""

    def refusals_of(self, operation: Operation) -> dict[str, Any]:
        """Return the Responses of OpenAPI that say no, by status."""
        applying = [row for row in self.rows if row.applies(operation)]
        responses = {str(row.status.value): refusal_reference(row) for row in applying}
        if operation.body is not None and (bad := self.bad_bodies(operation)):
            responses["400"] = self._response(BAD_REQUEST, bad)
        return responses

    def components(self) -> dict[str, Any]:
        """Return all refusals by name."""
        return {row.name: self._response(row, self._examples(row)) for row in self.rows}

    def _response(self, row: Row, examples: dict[str, Any]) -> dict[str, Any]:
        return {
            "description": row.description,
            "headers": header_references(*self.on_all, *row.headers),
            "content": {
                "application/json": {"schema": reference(self.schema), "examples": examples}
            },
        }

    def _examples(self, row: Row) -> dict[str, Any]:
        told = {"refused": (row.error_name, row.message), **row.others}
        return {
            example: {
                "summary": row.status.phrase,
                "value": msgspec.json.decode(
                    self.family.failure(
                        Refusal(status=row.status, name=error_name, message=message)
                    )
                ),
            }
            for example, (error_name, message) in told.items()
        }


def refusal_reference(row: Row) -> dict[str, Any]:
    """Return a reference to a refusal of the document."""
    return {"$ref": f"#/components/responses/{row.name}"}


def _bad_bodies(operation: Operation) -> dict[str, Any]:
    """Let the decoder of this body's type refuse two of them."""
    bad = {"notJson": ("No JSON at all", b"port=25"), "field": ("A wrong field", b'{"prot":25}')}
    return {
        name: {
            "summary": summary,
            "value": msgspec.json.decode(_refused(operation.body, octets)),
        }
        for name, (summary, octets) in bad.items()
    }


def _refused(body: type[msgspec.Struct], octets: bytes) -> bytes:
    try:
        BodyDecoder(body).decode(octets).checked()
    except RequestError as error:
        refusal = Refusal(status=error.status, message=error.message, fields=error.fields)
        return CONTRACT.failure(refusal)
    raise ValueError("this body is not to be refused")


CONTRACT_TABLE = Table(
    family=CONTRACT, rows=REFUSALS, schema="Failure", on_all=ON_ALL, bad_bodies=_bad_bodies
)
