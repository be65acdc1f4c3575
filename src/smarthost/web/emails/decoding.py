"""From a request's octets to e-mails: straight where all is right, part by part where it is not.

Batches are what an application in a hurry sends, so the first reading is msgspec's own. Only what
that refuses is read again with every fault collected.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Generic, TypeVar, get_args

import msgspec

from smarthost.sending.model import Fault
from smarthost.web.emails.errors import VALIDATION, EmailsError
from smarthost.web.emails.part_by_part import part_by_part
from smarthost.web.emails.places import Places

B = TypeVar("B", bound=msgspec.Struct)

_LARGE = 1 << 18
_MOST_QUOTES = 200_000
_MOST_COMMAS = 10_000_000


class Decoded(msgspec.Struct, Generic[B], frozen=True, kw_only=True):
    """A body, or one part of a batch."""

    value: B
    """Fields that are wrong or were not sent have their defaults."""
    faults: tuple[Fault, ...] = ()


class Received(msgspec.Struct, Generic[B], frozen=True, kw_only=True):
    """A whole body."""

    octets: bytes
    parts: list[Decoded[B]]
    """One, but for a batch."""


def decoder(body_type: Any) -> Callable[[bytes], Any]:  # noqa: ANN401 - a type, as msgspec has it
    """Return what decodes such bodies to what was `Received`.

    It raises `EmailsError` for what is no JSON, no object or no list.
    """
    if isinstance(body_type, type):
        single: SingleDecoder[Any] = SingleDecoder(body_type)
        return lambda body: Received(octets=_bounded(body), parts=[single.decode(body)])
    parts, limits = get_args(body_type)
    batch = BatchDecoder(*get_args(parts), most=limits.max_length)
    return lambda body: Received(octets=_bounded(body), parts=batch.decode(body))


class SingleDecoder(Generic[B]):
    """Decodes one object."""

    def __init__(self, body_type: type[B]) -> None:
        self._type = body_type
        self._decoder = msgspec.json.Decoder(body_type)

    def decode(self, body: bytes) -> Decoded[B]:
        """Read a body."""
        with _json():
            try:
                return Decoded(value=self._decoder.decode(body))
            except msgspec.ValidationError:
                value, faults = part_by_part(self._type, body)
                return Decoded(value=value, faults=tuple(faults))


class BatchDecoder(Generic[B]):
    """Decodes a list of objects."""

    def __init__(self, part_type: type[B], *, most: int) -> None:
        self._single = SingleDecoder(part_type)
        self._most = most
        self._places = Places(part_type, most)
        self._apart = Places(msgspec.Raw, most)

    def decode(self, body: bytes) -> list[Decoded[B]]:
        """Read a body."""
        with _json():
            try:
                return [Decoded(value=value) for value in self._filled(self._places, body)]
            except msgspec.ValidationError:
                return self._apart_from_each_other(body)

    def _apart_from_each_other(self, body: bytes) -> list[Decoded[B]]:
        try:
            parts = self._filled(self._apart, body)
        except msgspec.ValidationError:
            told = f"The body must be a list of at most {self._most} e-mails."
            raise _invalid(told) from None
        return [self._single.decode(part) for part in parts]

    def _filled(self, places: Places, body: bytes) -> list[Any]:
        parts = places.decode(body)
        if not parts:
            raise _invalid("The list is empty. Send at least one e-mail.")
        return parts


def _bounded(body: bytes) -> bytes:
    """Return a body in which no more texts are than memory is there for.

    A text of two octets takes sixty, a number of one octet eight and more; a large body holds few
    and long texts.
    """
    if len(body) > _LARGE and body.count(b'"') - body.count(b'\\"') > _MOST_QUOTES:
        raise _too_much("The body has too many fields in it.")
    if len(body) > _MOST_COMMAS and body.count(b",") > _MOST_COMMAS:
        raise _too_much("The body has too many numbers in it. Send large files as base64.")
    return body


def _too_much(message: str) -> EmailsError:
    return EmailsError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, VALIDATION, message)


def _invalid(message: str) -> EmailsError:
    return EmailsError(HTTPStatus.UNPROCESSABLE_ENTITY, VALIDATION, message)


@contextmanager
def _json() -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise EmailsError(
            HTTPStatus.BAD_REQUEST, VALIDATION, "The body is not JSON in UTF-8. Send JSON."
        ) from None
