"""Reads a header block strictly, as the check on what the writer has made.

It knows nothing of how a header is written: only the lines of RFC 5322, section 2.2. Whatever
two mail programs might read in two ways is refused here, not interpreted.
"""

import re
from functools import lru_cache
from typing import NamedTuple

LONGEST_LINE = 998
"""Octets without CRLF: RFC 5322, section 2.1.1."""

# Section 3.6.8: a name is of printable ASCII without the colon.
_NAME = re.compile(r"[!-9;-~]+")
_BLANKS = " \t"


class HeaderError(ValueError):
    """Something cannot stand in a header; the message says what and, if it can, which one."""


class ReadHeader(NamedTuple):
    """One header as it was read; `value` is unfolded and has no blanks around it."""

    name: str
    value: str


def read_headers(block: bytes) -> list[ReadHeader]:
    """Read headers in their order, from octets that end with the last header's CRLF.

    Raises `HeaderError` on a CR, LF or NUL that is not part of a line end, a line of more than
    998 octets, a line of blanks alone, one that is no header, and octets that are not UTF-8.
    """
    if not block:
        return []
    headers: list[tuple[str, list[str]]] = []
    for line in _lines(block):
        if line[:1] not in _BLANKS:  # and so it is not empty
            headers.append(_begun(line))
        elif not line.strip(_BLANKS):
            raise HeaderError("A line of the header is empty.")
        elif headers:
            headers[-1][1].append(line)
        else:
            raise HeaderError("The header begins with a folded line.")
    # Section 2.2.3: unfolding takes away the line end alone.
    return [ReadHeader(name, "".join(lines).strip(_BLANKS)) for name, lines in headers]


def has_long_line(octets: bytes, begin: int, end: int) -> bool:
    """Whether a line between these places, ended by CRLF or by `end`, has more than 998 octets."""
    at = begin
    while end - at > LONGEST_LINE:
        found = octets.rfind(b"\r\n", at, min(at + LONGEST_LINE + 2, end))
        if found < 0:
            return True
        at = found + 2
    return False


def is_header_name(name: str) -> bool:
    """Whether `name` can stand before the colon, and on one line with it."""
    # The few names that everybody uses are kept; what is longer would fill the memory.
    return len(name) < LONGEST_LINE and _is_name(name)


@lru_cache(maxsize=256)
def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _lines(block: bytes) -> list[str]:
    if not block.endswith(b"\r\n"):
        raise HeaderError("The last line of the header has no end.")
    if has_long_line(block, 0, len(block)):
        raise HeaderError(f"A line of the header is longer than {LONGEST_LINE} octets.")
    try:
        text = block.decode()
    except UnicodeDecodeError:
        raise HeaderError("A line of the header is not UTF-8.") from None
    lines = text[:-2].split("\r\n")
    if "\0" in text or not text.count("\r") == text.count("\n") == len(lines):
        raise HeaderError("A line of the header has a CR, LF or NUL in it.")
    return lines


def _begun(line: str) -> tuple[str, list[str]]:
    name, colon, value = line.partition(":")
    if not colon or not is_header_name(name):
        raise HeaderError("A line of the header has no name before a colon.")
    return name, [value]
