"""Reads what the straight way has refused once more, field by field, and names every fault.

Unknown fields are faults: an e-mail that goes out without what somebody asked for is worse than an
error. Names that clients write in the way of their own language are known all the same.
"""

import re
from functools import cache
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from smarthost.sending.model import Fault
from smarthost.web.decoding import expected
from smarthost.web.emails.places import Places
from smarthost.web.emails.request import AttachmentDto, TagDto

B = TypeVar("B", bound=msgspec.Struct)

_MOST_NESTED = 1_000
_NESTED_LIST = Places(msgspec.Raw, _MOST_NESTED)
_NESTED: dict[str, type[msgspec.Struct]] = {"attachments": AttachmentDto, "tags": TagDto}
_CAPITAL = re.compile(r"(?<=[a-z])[A-Z]")
_ALIASES = {"inline_content_id": "content_id"}
_NOT_HERE = {
    "template": "Templates are not kept here. Send the finished text and html.",
    "topic_id": "There are no topics here. Leave it out.",
    "react": "Only html and text are taken. Render it before.",
    "path": "Files are not fetched from elsewhere. Send the octets as content.",
}
_ADDRESSES = "an address as text, or a list of addresses"
_LIST = f"a list of at most {_MOST_NESTED} objects"
_EXPECTED = {
    "to": _ADDRESSES,
    "cc": _ADDRESSES,
    "bcc": _ADDRESSES,
    "reply_to": _ADDRESSES,
    "headers": "an object of names and texts",
    "attachments": _LIST,
    "tags": _LIST,
    "content": "base64, a list of numbers from 0 to 255, or a Buffer of Node.js",
}
"""What a field takes, where its type does not say it well."""
_MOST_SHOWN = 60


def part_by_part(body_type: type[B], body: bytes) -> tuple[B, list[Fault]]:
    """Read an object of which something is wrong; return what is right of it, and the faults.

    Fields that are wrong or were not sent have their defaults, None where they have none. Raises
    what msgspec does for what is no JSON.
    """
    faults: list[Fault] = []
    return _object(body_type, body, "", faults), faults


def _object(kind: type[B], body: bytes, where: str, faults: list[Fault]) -> B:
    try:
        # Each value as the octets that it has here: whatever is in it is not made yet.
        sent = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        sent = {}
        faults.append(Fault(field=where or "body", message="This must be a JSON object."))
    fields = _fields(kind)
    # Nobody reads what a needed field has that is wrong; that it is missing, the rules say.
    values: dict[str, Any] = {field.name: None for field in fields.values() if field.required}
    for name, value in sent.items():
        # No name of ours is longer.
        known = _CAPITAL.sub(_lowered, name[:_MOST_SHOWN])
        field = fields.get(_ALIASES.get(known, known))
        place = f"{where}.{name}" if where else name
        try:
            if field is None:
                _check_unknown(name, value)
            else:
                values[field.name] = _value(field, value, place, faults)
        except _WrongError as error:
            faults.append(Fault(field=_shown(place), message=str(error)))
    return kind(**values)


class _Field(NamedTuple):
    """A field of a type: its name there, its type, and what it takes in words."""

    name: str
    kind: Any
    expected: str
    required: bool
    nested: type[msgspec.Struct] | None


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, _Field]:
    information = inspect.type_info(kind)
    assert isinstance(information, inspect.StructType)  # noqa: S101 - what B is bound to
    words = {field.encode_name: expected(field.type) for field in information.fields} | _EXPECTED
    return {
        name: _Field(field.name, field.type, words[name], field.required, _NESTED.get(name))
        for field in msgspec.structs.fields(kind)
        for name in (field.encode_name,)
    }


class _WrongError(ValueError):
    """A value that is none of its field."""


def _value(field: _Field, value: msgspec.Raw, where: str, faults: list[Fault]) -> Any:  # noqa: ANN401
    try:
        if field.nested is None or bytes(value) == b"null":
            return msgspec.json.decode(value, type=field.kind)
        parts = _NESTED_LIST.decode(value)
    except msgspec.ValidationError:
        raise _WrongError(f"This must be {field.expected}.") from None
    return [_object(field.nested, part, f"{where}[{at}]", faults) for at, part in enumerate(parts)]


def _check_unknown(name: str, value: msgspec.Raw) -> None:
    # Clients of other languages send null for what is not given.
    if bytes(value) != b"null":
        raise _WrongError(_NOT_HERE.get(name, "There is no such field."))


def _lowered(capital: re.Match[str]) -> str:
    # Some clients write these names as their own language does: replyTo.
    return f"_{capital[0].lower()}"


def _shown(name: str) -> str:
    begun = name[:_MOST_SHOWN]
    printable = "".join(letter if letter.isprintable() else "?" for letter in begun)
    return printable if len(name) <= _MOST_SHOWN else f"{printable}…"
