"""The contract's envelope: how an answer and a failure are wrapped.

Official clients read `response` and show `error.message` to the person, so both shapes are in
one place and everything under `/api/2.0` uses them.
"""

from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

# HTTPStatus names it differently from one Python to the next; this is RFC 9110's name.
_NAMES = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "contentTooLarge"}


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The request that was answered."""

    href: str
    action: str


class Success(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An answer; `response` is left out where the value is null, and `count` is 0 then."""

    response: Any = msgspec.UNSET
    count: Annotated[
        int, Meta(ge=0, description="How many values there are: of a list, its length.")
    ]
    links: list[Link]
    status: Literal[0] = 0
    status_code: Literal[200] = 200


class ErrorWords(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, in plain words, and the status's name in camelCase."""

    message: str
    type: str


class FieldErrors(msgspec.Struct, frozen=True, kw_only=True):
    """Every wrong field, by its name as it was sent, with what is allowed."""

    errors: dict[str, list[str]]


class Failure(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A refusal; `response` is there where single fields are wrong."""

    error: ErrorWords
    status: Literal[1] = 1
    status_code: Annotated[int, Meta(ge=400, le=599, description="The HTTP status.")]
    response: FieldErrors | msgspec.UnsetType = msgspec.UNSET


_encoder = msgspec.json.Encoder()


def success(value: object, *, href: str, action: str) -> bytes:
    """Return the JSON text of an answer to the request `action` `href`."""
    count = 0 if value is None else len(value) if isinstance(value, list) else 1
    return _encoder.encode(
        Success(
            response=msgspec.UNSET if value is None else value,
            count=count,
            links=[Link(href=href, action=action)],
        )
    )


def failure(status: HTTPStatus, message: str, fields: dict[str, list[str]] | None = None) -> bytes:
    """Return the JSON text of a refusal."""
    return _encoder.encode(
        Failure(
            error=ErrorWords(message=message, type=status_type(status)),
            status_code=status.value,
            response=FieldErrors(errors=fields) if fields else msgspec.UNSET,
        )
    )


def status_type(status: HTTPStatus) -> str:
    """Return a status's name in camelCase, as `badRequest`."""
    if status in _NAMES:
        return _NAMES[status]
    words = status.phrase.replace("-", " ").split()
    return words[0].lower() + "".join(word.capitalize() for word in words[1:])
