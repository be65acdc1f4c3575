"""From a request's octets to a typed value, with every wrong field named at once.

msgspec alone stops at the first fault and keeps the last of two equal names, so the object is
read by the standard library with both caught, and then converted field by field. Names match
without regard to ASCII case, since clients of the contract write them both ways.
"""

import contextlib
import json
from http import HTTPStatus
from typing import Any, Generic, NoReturn, TypeVar

import msgspec
from msgspec import inspect

from smarthost.secret import Secret
from smarthost.web.errors import RequestError, invalid_fields

B = TypeVar("B", bound=msgspec.Struct)
Faults = dict[str, list[str]]


class Decoded(msgspec.Struct, Generic[B], frozen=True, kw_only=True):
    """A body: the fields that are right, and what is wrong with the others."""

    value: B
    """Fields that are wrong or were not sent have their defaults."""
    faults: Faults
    """By the name as it was sent."""
    sent: dict[str, str]
    """The contract's name of each field that was sent, to the name as it was sent."""

    def checked(self) -> B:
        """Return the value. Raises `RequestError` (400) when any field is wrong."""
        if self.faults:
            raise invalid_fields(self.faults)
        return self.value

    def lacks(self, name: str) -> bool:
        """Whether the field of this contract name was sent and could not be read."""
        return bool(self.faults) and self.sent.get(name) in self.faults

    def with_faults(self, faults: Faults) -> RequestError:
        """Return the error for these faults and those found here; `faults` has contract names.

        A field that could not be read is said to be just that, not missing too.
        """
        named = {self.sent.get(name, name): messages for name, messages in faults.items()}
        return invalid_fields({**named, **self.faults})


class SecretDocument:
    """A JSON object that is secret as a whole, sent as one or as its text."""

    __slots__ = ("text",)

    def __init__(self, text: Secret) -> None:
        self.text = text


class BodyDecoder(Generic[B]):
    """Decodes the bodies of one end point."""

    def __init__(self, body_type: type[B]) -> None:
        self._type = body_type
        self._names = {
            field.encode_name.lower(): field.encode_name
            for field in msgspec.structs.fields(body_type)
        }
        information = inspect.type_info(body_type)
        assert isinstance(information, inspect.StructType)  # noqa: S101 - what B is bound to
        self._expected = {field.encode_name: expected(field.type) for field in information.fields}

    def decode(self, body: bytes) -> Decoded[B]:
        """Read a body. Raises `RequestError` (400) when it is no JSON object at all."""
        faults: Faults = {}
        sent: dict[str, str] = {}
        values: dict[str, Any] = {}
        for name, value in _read_object(body):
            contract_name = self._names.get(name.lower() if name.isascii() else name)
            if contract_name is None:
                faults[_shown(name)] = ["There is no such field."]
            elif contract_name in sent:
                faults[name] = ["This field is given twice; send it once."]
            else:
                sent[contract_name] = name
                values[contract_name] = value
        if not faults:
            # All at once is much faster, and nearly every body is right.
            with contextlib.suppress(msgspec.ValidationError):
                whole = msgspec.convert(values, self._type, dec_hook=_secret)
                return Decoded(value=whole, faults=faults, sent=sent)
        return self._field_by_field(values, faults, sent)

    def _field_by_field(
        self, values: dict[str, Any], faults: Faults, sent: dict[str, str]
    ) -> Decoded[B]:
        right: dict[str, Any] = {}
        for field in msgspec.structs.fields(self._type):
            name = field.encode_name
            if name not in sent:
                if field.required:
                    faults[name] = [f"This is needed: {self._expected[name]}."]
                continue
            try:
                right[field.name] = msgspec.convert(values[name], field.type, dec_hook=_secret)
            except msgspec.ValidationError:
                faults[sent[name]] = [f"This must be {self._expected[name]}."]
        return Decoded(value=self._with_stand_ins(right), faults=faults, sent=sent)

    def _with_stand_ins(self, values: dict[str, Any]) -> B:
        # A required field that is wrong has no default; nobody reads it, since faults are told.
        missing = {
            field.name: None
            for field in msgspec.structs.fields(self._type)
            if field.required and field.name not in values
        }
        return self._type(**missing, **values)


def _read_object(body: bytes) -> list[tuple[str, Any]]:
    try:
        # A surrogate in an escape is text that no UTF-8 can carry.
        text = body.decode("utf-8")
        value = _JSON.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise RequestError(
            HTTPStatus.BAD_REQUEST, "The body is not JSON in UTF-8. Send one JSON object."
        ) from None
    if not isinstance(value, _Pairs):
        raise RequestError(HTTPStatus.BAD_REQUEST, "The body must be one JSON object.")
    return value


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in their order, so that doubled names are seen."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


_JSON = json.JSONDecoder(object_pairs_hook=_Pairs, parse_constant=_no_constant)


def _secret(kind: type, value: object) -> Secret | SecretDocument:
    if kind is SecretDocument and isinstance(value, _Pairs):
        return SecretDocument(Secret(_text_of(value)))
    if kind not in (Secret, SecretDocument) or not isinstance(value, str):
        raise msgspec.ValidationError("text expected")
    return Secret(value) if kind is Secret else SecretDocument(Secret(value))


def _text_of(value: "_Pairs") -> str:
    try:
        return json.dumps(_plain(value))
    except RecursionError:
        raise msgspec.ValidationError("this is nested too deeply") from None


def _plain(value: object) -> object:
    """Return what was read as JSON has it; an object that has a name twice is none."""
    if isinstance(value, _Pairs):
        members = {name: _plain(member) for name, member in value}
        if len(members) != len(value):
            raise msgspec.ValidationError("a name is given twice")
        return members
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _shown(name: str) -> str:
    """Return an unknown field's name as it can be shown: printable and short."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in name)
    return printable if len(printable) <= 60 else f"{printable[:60]}…"


def expected(kind: inspect.Type) -> str:
    """Say in plain words what a field takes."""
    match kind:
        case inspect.UnionType(types=types):
            # Null is always allowed where a field may be left out; saying so would not help.
            told = (expected(t) for t in types if not isinstance(t, inspect.NoneType))
            return " or ".join(dict.fromkeys(told))
        case inspect.Metadata(type=inner):
            return expected(inner)
        case inspect.CustomType(cls=cls) if cls is SecretDocument:
            return "a JSON object, or its text"
        case inspect.ListType(item_type=item, min_length=low):
            return f"a list of {low or 0} or more of {expected(item)}"
        case _:
            return _expected_single(kind)


def _expected_single(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType(ge=low, le=high):
            return f"a whole number from {low} to {high}"
        case inspect.StrType(pattern=str()):
            return "the same in digits as text"
        case inspect.StrType(min_length=low, max_length=int() as high):
            return f"text of {low or 0} to {high} characters"
        case inspect.EnumType(cls=cls):
            return " or ".join(f"'{member.value}'" for member in cls)
        case _:
            return "text"
