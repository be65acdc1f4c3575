"""Headers from values: encoded, folded, and read again before anybody gets them.

Each kind of header says how it is written and when it was read back rightly. `header_block` gives
out only what a second, independent reader finds to be exactly the names and values that were
asked for, so that no text can become a header of its own, whatever is wrong with the writer.
"""

import re
import string
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from smarthost.mail.address import Address
from smarthost.mail.characters import named
from smarthost.mail.encoded_words import decoded, encoded_words
from smarthost.mail.header_reader import HeaderError, is_header_name, read_headers

# RFC 2047, section 2, for lines with encoded words; the others may have 78 (RFC 5322).
_LINE = 76
_LONGEST_NAME = 76
# A longer word is encoded, so that it can be parted: below RFC 5322's 998 with any name.
_LONGEST_WORD = 900
_LONGEST_PHRASE = 70
_ATOM = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-/=?^_`{|}~")
# A blank run and the word after it: where it begins a line may be folded, and no line is blank.
_WORDS = re.compile(r" *[^ ]+")
# Line ends in somebody's eyes, controls, and halves of characters.
_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, kw_only=True, slots=True)
class TextHeader:
    """Free text, such as a subject (unstructured: RFC 5322, section 3.2.5)."""

    name: str
    text: str

    def units(self) -> Iterator[str]:
        """Give the value in parts that are not folded, each with the blanks before it."""
        checked(self.name, self.text)
        if _is_plain(self.text):
            yield from _WORDS.findall(f" {self.text}" if self.text else "")
        else:
            yield from _encoded(self.name, self.text)

    def reads_back(self, value: str) -> bool:
        """Tell whether a reader who found `value` reads this text."""
        return decoded(value) == self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class MailboxHeader:
    """One mailbox, such as From or To; the name is encoded, the address never is."""

    name: str
    address: Address
    display_name: str | None = None
    """None or empty: the address stands alone."""

    def units(self) -> Iterator[str]:
        """Give the value in parts that are not folded, each with the blanks before it."""
        if not self.display_name:
            yield f" {self.address}"
            return
        checked(self.name, self.display_name)
        yield from _phrase(self.name, self.display_name)
        yield f" <{self.address}>"

    def reads_back(self, value: str) -> bool:
        """Tell whether a reader who found `value` reads this name and this address."""
        if not self.display_name:
            return value == str(self.address)
        phrase, rest = _read_phrase(value)
        return (phrase, rest) == (self.display_name, f"<{self.address}>")


@dataclass(frozen=True, kw_only=True, slots=True)
class PlainHeader:
    """A value of printable ASCII with a syntax of its own, written as it is."""

    name: str
    value: str

    def units(self) -> Iterator[str]:
        """Give the value in parts that are not folded, each with the blanks before it."""
        if not (self.value.isascii() and self.value.isprintable()):
            raise HeaderError(f"The header {self.name} takes printable ASCII only.")
        yield from _WORDS.findall(f" {self.value}")

    def reads_back(self, value: str) -> bool:
        """Tell whether a reader who found `value` reads this one."""
        return value == self.value


Header = TextHeader | MailboxHeader | PlainHeader


def header_block(headers: Sequence[Header]) -> bytes:
    """Give the octets of the headers in their order, each line ended by CRLF.

    ASCII, but for an address whose local part is not (RFC 6532). Lines have at most 76 octets
    where there is a blank to fold at, and never more than 998.

    Raises `HeaderError` on a name or text that cannot stand in a header, and when the finished
    octets do not read as these names and values.
    """
    block = "".join(_folded(header) for header in headers).encode()
    found = read_headers(block)
    if len(found) != len(headers):
        raise HeaderError("The headers cannot be written so that they read as they were given.")
    for header, read in zip(headers, found, strict=True):
        if read.name != header.name or not header.reads_back(read.value):
            raise HeaderError(
                f"The header {header.name} cannot be written so that it reads as it was given."
            )
    return block


def checked(what: str, text: str) -> str:
    """Return `text` if it is one line without control characters; `what` names it if not.

    Raises `HeaderError` on control characters, line and paragraph separators, lone surrogates.
    """
    if not text.isprintable():
        for char in text:
            if unicodedata.category(char) in _REFUSED:
                raise HeaderError(
                    f"{what} has the character {named(char)} in it. Give plain text on one line."
                )
    return text


def _folded(header: Header) -> str:
    if not is_header_name(header.name) or len(header.name) > _LONGEST_NAME:
        raise HeaderError(
            f"A header's name has 1 to {_LONGEST_NAME} characters of printable ASCII, "
            "and no colon or blank."
        )
    lines = [f"{header.name}:"]
    used = len(lines[0])
    for unit in header.units():
        octets = len(unit.encode())
        if used + octets > _LINE:
            lines.append(unit)
            used = octets
        else:
            lines[-1] += unit
            used += octets
    return "\r\n".join(lines) + "\r\n"


def _is_plain(text: str) -> bool:
    """Whether a reader finds this very text without anything being encoded."""
    return (
        text.isascii()
        and text == text.strip(" ")
        and "=?" not in text
        and all(len(word) <= _LONGEST_WORD for word in _WORDS.findall(text))
    )


def _encoded(name: str, text: str) -> Iterator[str]:
    for word in encoded_words(text, first_room=_LINE - len(f"{name}: ")):
        yield f" {word}"


def _phrase(name: str, text: str) -> Iterator[str]:
    if not text.isascii() or "=?" in text or len(text) > _LONGEST_PHRASE:
        yield from _encoded(name, text)
    elif all(word and _ATOM.issuperset(word) for word in text.split(" ")):
        yield from (f" {word}" for word in text.split(" "))
    else:
        yield ' "' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _read_phrase(value: str) -> tuple[str, str]:
    """Part a mailbox into its display name and what follows, which is the address in brackets."""
    if not value.startswith('"'):
        phrase, bracket, rest = value.partition("<")
        return decoded(phrase.strip(" ")), bracket + rest
    text = ""
    at = 1
    while at < len(value) and value[at] != '"':
        at += value[at] == "\\"
        text += value[at : at + 1]
        at += 1
    return text, value[at + 1 :].strip(" ")
