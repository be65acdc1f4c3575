"""What a form sends and what a query says: names and texts, bounded.

Both are `application/x-www-form-urlencoded` (WHATWG URL, section 5). What a browser sends is read
as it is; what no browser would send is refused.
"""

from http import HTTPStatus
from typing import Self
from urllib.parse import parse_qsl

from smarthost.web.errors import RequestError

LARGEST_FORM = 64 * 1024
"""Octets."""
_MOST_FIELDS = 200


class Form:
    """The fields of one form or query."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    @classmethod
    def of(cls, encoded: bytes) -> Self:
        """Read the encoded fields. Raises `RequestError` (400) for what is none."""
        try:
            return cls(
                parse_qsl(
                    encoded.decode("ascii"),
                    keep_blank_values=True,
                    errors="strict",
                    max_num_fields=_MOST_FIELDS,
                )
            )
        except ValueError:
            raise RequestError(
                HTTPStatus.BAD_REQUEST, "This form or address cannot be understood."
            ) from None

    def has(self, name: str) -> bool:
        """Whether the field was sent, empty or not: a box that is not ticked is not."""
        return any(sent == name for sent, _ in self._fields)

    def text(self, name: str) -> str:
        """Return a field's text, the first where there are several, empty where there is none."""
        return next((value for sent, value in self._fields if sent == name), "")

    def texts(self, name: str) -> list[str]:
        """Return all texts of a field."""
        return [value for sent, value in self._fields if sent == name]
