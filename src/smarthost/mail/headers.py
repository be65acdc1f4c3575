"""Headers from values: encoded, folded, and read again before anybody gets them.

Each kind of header says how it is written and when it was read back rightly. `header_block` gives
out only what a second, independent reader finds to be exactly the names and values that were
asked for, so that no text can become a header of its own, whatever is wrong with the writer.
"""

import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from smarthost.mail.address import AddressError
from smarthost.mail.address_list import Group, parse_address_list
from smarthost.mail.characters import named
from smarthost.mail.encoded_words import decoded, encoded_words
from smarthost.mail.header_reader import (
    LONGEST_LINE,
    HeaderError,
    is_header_name,
    read_headers,
)
from smarthost.mail.mailbox import Mailbox, quoted

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
            yield from _plain_units(self.name, self.text)
        else:
            yield from _encoded(self.name, self.text)

    def reads_back(self, value: str) -> bool:
        """Tell whether a reader who found `value` reads this text."""
        return decoded(value) == self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class MailboxHeader:
    """Mailboxes, such as From or To, and groups of them; names are encoded, addresses never."""

    name: str
    mailboxes: Sequence[Mailbox | Group]

    def units(self) -> Iterator[str]:
        """Give the value in parts that are not folded, each with the blanks before it."""
        for at, entry in enumerate(self.mailboxes, start=1):
            *units, last = self._units_of(entry)
            yield from units
            yield last if at == len(self.mailboxes) else f"{last},"

    def reads_back(self, value: str) -> bool:
        """Tell whether a reader who found `value` reads these names and these addresses."""
        if len(self.mailboxes) == 1 and isinstance(self.mailboxes[0], Mailbox):
            return _reads_back(self.mailboxes[0], value)
        try:
            return parse_address_list(value) == tuple(map(_as_read, self.mailboxes))
        except AddressError:
            return False

    def _units_of(self, entry: Mailbox | Group) -> Iterator[str]:
        if isinstance(entry, Mailbox):
            if not entry.display_name:
                yield f" {entry.address}"
                return
            yield from self._phrase(entry.display_name)
            yield f" <{entry.address}>"
            return
        *name, end_of_name = self._phrase(entry.name)
        yield from name
        if end_of_name.endswith("?="):
            end_of_name += " "  # RFC 2047, section 5 (3)
        within = MailboxHeader(name=self.name, mailboxes=entry.mailboxes).units()
        *units, last = (f"{end_of_name}:", *within)
        yield from (*units, f"{last};")

    def _phrase(self, text: str) -> Iterator[str]:
        checked(self.name, text)
        if not text.isascii() or "=?" in text or len(text) > _LONGEST_PHRASE:
            yield from _encoded(self.name, text)
        elif all(word and _ATOM.issuperset(word) for word in text.split(" ")):
            yield from (f" {word}" for word in text.split(" "))
        else:
            yield f" {quoted(text)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PlainHeader:
    """A value of printable ASCII with a syntax of its own, written as it is."""

    name: str
    value: str

    def units(self) -> Iterator[str]:
        """Give the value in parts that are not folded, each with the blanks before it."""
        if not (self.value.isascii() and self.value.isprintable()):
            raise HeaderError(f"The header {self.name} takes printable ASCII only.")
        yield from _plain_units(self.name, self.value)

    def reads_back(self, value: str) -> bool:
        """Tell whether a reader who found `value` reads this one."""
        return value == self.value


Header = TextHeader | MailboxHeader | PlainHeader


def header_block(headers: Sequence[Header]) -> bytes:
    """Give the octets of the headers in their order, each line ended by CRLF.

    ASCII, but for an address whose local part is not (RFC 6532). Lines have at most 76 octets
    where there is a blank to fold at, and never more than 998; the first word of a `PlainHeader`
    stays beside its name.

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
    units = list(header.units())
    if len(whole := "".join(units)) + used <= _LINE and whole.isascii():
        return f"{lines[0]}{whole}\r\n"
    # Some programs lose a structured value that begins on the second line.
    room = LONGEST_LINE if isinstance(header, PlainHeader) else _LINE
    for unit in units:
        octets = len(unit.encode())
        if octets > LONGEST_LINE:
            raise HeaderError(
                f"The header {header.name} has a word that makes a line longer than "
                f"{LONGEST_LINE} octets."
            )
        if used + octets > room:
            lines.append(unit)
            used = octets
        else:
            lines[-1] += unit
            used += octets
        room = _LINE
    return "\r\n".join(lines) + "\r\n"


def _is_plain(text: str) -> bool:
    """Whether a reader finds this very text without anything being encoded."""
    return (
        text.isascii()
        and text == text.strip(" ")
        and "=?" not in text
        and all(len(word) <= _LONGEST_WORD for word in _WORDS.findall(text))
    )


def _plain_units(name: str, text: str) -> Iterable[str]:
    if len(name) + len(text) + len(": ") <= _LINE:
        return (f" {text}",) if text else ()
    return _WORDS.findall(f" {text}")


def _encoded(name: str, text: str) -> Iterator[str]:
    for word in encoded_words(text, first_room=_LINE - len(f"{name}: ")):
        yield f" {word}"


def _reads_back(mailbox: Mailbox, value: str) -> bool:
    if not mailbox.display_name:
        return value == str(mailbox.address)
    return _read_phrase(value) == (mailbox.display_name, f"<{mailbox.address}>")


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


def _as_read(entry: Mailbox | Group) -> Mailbox | Group:
    """Give what a reader makes of it: an empty name is none."""
    if isinstance(entry, Group):
        return Group(name=entry.name, mailboxes=tuple(map(_without_empty_name, entry.mailboxes)))
    return _without_empty_name(entry)


def _without_empty_name(mailbox: Mailbox) -> Mailbox:
    return mailbox if mailbox.display_name else Mailbox(address=mailbox.address)
