"""The header fields of a message that somebody else wrote, each with the place where it stands.

A message that passes through keeps its octets, so nothing is rebuilt here: whoever takes out or
replaces a field does it by its place. Reading does not fail; what is no field has no name.
"""

import re
from functools import lru_cache

import msgspec

from smarthost.mail.header_reader import LONGEST_LINE, is_header_name

_END = b"\r\n\r\n"
# What begins with a blank goes on with the line before (RFC 5322, section 2.2.3).
_FIELD_END = re.compile(rb"\r\n(?![ \t])")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One field, from `begin` up to `end`, with the CRLF of its last line."""

    name: str
    """As it is written; empty: the lines are no field of RFC 5322, section 2.2."""
    lower_name: str
    """The name as names are compared."""
    raw: bytes
    """What follows the colon, unfolded, without blanks around it."""
    begin: int
    end: int

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
    fields = []
    for octets in _FIELD_END.split(content[begin:end]):
        behind = min(begin + len(octets) + 2, end)
        if begin < behind:
            fields.append(_field(octets, begin, behind))
        begin = behind
    return fields


def _field(octets: bytes, begin: int, end: int) -> Field:
    written, colon, value = octets.partition(b":")
    # The few names that everybody uses are kept; what is longer would fill the memory.
    name, lower_name = _name(written) if colon and len(written) < LONGEST_LINE else ("", "")
    raw = value.replace(b"\r\n", b"").strip(b" \t") if name else octets
    return Field(name=name, lower_name=lower_name, raw=raw, begin=begin, end=end)


@lru_cache(maxsize=256)
def _name(written: bytes) -> tuple[str, str]:
    text = written.decode("ascii", errors="replace")
    return (text, text.lower()) if is_header_name(text) else ("", "")
