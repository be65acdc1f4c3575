"""The header fields of a message that somebody else wrote, each with the place where it stands.

A message that passes through keeps its octets, so nothing is rebuilt here: whoever takes out or
replaces a field does it by its place. Reading does not fail; what is no field has no name.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from smarthost.mail.header_reader import is_header_name

_END = b"\r\n\r\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field, from `begin` up to `end`, with the CRLF of its last line."""

    name: str
    """As it is written; empty: the lines are no field of RFC 5322, section 2.2."""
    raw: bytes
    """What follows the colon, unfolded, without blanks around it."""
    begin: int
    end: int

    @property
    def lower_name(self) -> str:
        """The name as names are compared."""
        return self.name.lower()

    @property
    def value(self) -> str:
        """The value as text: UTF-8, or Latin-1 where it is not."""
        try:
            return self.raw.decode()
        except UnicodeDecodeError:
            return self.raw.decode("latin-1")


def header_end(content: bytes, begin: int, end: int) -> tuple[int, int]:
    """Give where the header that begins at `begin` ends, and where the body behind it begins.

    Both are `end` if there is no empty line before it.
    """
    if content.startswith(b"\r\n", begin, end):
        return begin, begin + 2
    at = content.find(_END, begin, end)
    return (end, end) if at < 0 else (at + 2, at + 4)


def read_fields(content: bytes, begin: int, end: int) -> list[Field]:
    """Give the fields of the header between these places, in their order, folded ones whole."""
    return [
        _field(content[first:last], first, last) for first, last in _extents(content, begin, end)
    ]


def _extents(content: bytes, begin: int, end: int) -> Iterator[tuple[int, int]]:
    at = begin
    while at < end:
        line_end = _line_end(content, at, end)
        while content[line_end : line_end + 1] in {b" ", b"\t"} and line_end < end:
            line_end = _line_end(content, line_end, end)
        yield at, line_end
        at = line_end


def _line_end(content: bytes, at: int, end: int) -> int:
    found = content.find(b"\r\n", at, end)
    return end if found < 0 else found + 2


def _field(octets: bytes, begin: int, end: int) -> Field:
    name, colon, value = octets.partition(b":")
    text = name.decode("ascii", errors="replace")
    if not colon or not is_header_name(text):
        return Field(name="", raw=octets, begin=begin, end=end)
    raw = value.replace(b"\r\n", b"").strip(b" \t")
    return Field(name=text, raw=raw, begin=begin, end=end)
