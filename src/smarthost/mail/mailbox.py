"""A mailbox with the name that stands before it, as people and applications type it.

`Acme <notify@example.com>` is what the API's fields hold. Nothing is guessed at: a name that a
mail program could take for something else has to stand in quotation marks.
"""

import unicodedata
from dataclasses import dataclass

from smarthost.mail.address import Address, AddressError, parse_address
from smarthost.mail.characters import DIRECTIONAL, named

SPECIALS = frozenset('()<>[]:;@\\,"')
"""What parts or quotes something in a list of addresses (RFC 5322, section 3.2.3); the dot has
its place in a name by custom (obs-phrase)."""

# Line ends in somebody's eyes, controls, halves of characters; and what makes a name look like
# another one (Unicode TR 36, section 2.6).
_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})
_LONGEST_NAME = 255  # characters: the contract's limit for a sender's display name
_TEXT_LIMIT = 1024  # characters, before anything else looks at the text
_QUOTE_IT = 'Put the name in quotation marks, like "Acme, Inc." <name@example.com>.'


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """An address and the display name before it; `str()` is what `parse_mailbox` reads."""

    address: Address
    display_name: str | None = None
    """None: the address stands alone."""

    def __str__(self) -> str:
        if not self.display_name:
            return str(self.address)
        name = self.display_name
        if not SPECIALS.isdisjoint(name) or name != name.strip(" "):
            name = quoted(name)
        return f"{name} <{self.address}>"


def parse_mailbox(text: str) -> Mailbox:
    """Read `name@example.com` or `Name <name@example.com>`; blanks (U+0020) around it are dropped.

    The name has at most 255 characters and any letters; it stands in quotation marks if it has
    one of `SPECIALS` in it. Encoded words (RFC 2047) in it are text like any other.

    Raises `AddressError` on anything else, with a message for the person who typed it.
    """
    if len(text) > _TEXT_LIMIT:
        raise AddressError("The address and its name are too long together.")
    text = text.strip(" ")
    before, opening, address = text[:-1].rpartition("<")
    if not (opening and text.endswith(">")):
        return Mailbox(address=parse_address(text))
    name = _display_name(before.strip(" "))
    return Mailbox(address=parse_address(address), display_name=name or None)


def checked_name(name: str) -> str:
    """Return a display name if it is one line without characters that deceive.

    Raises `AddressError` on control and directional characters and more than 255 characters.
    """
    if len(name) > _LONGEST_NAME:
        raise AddressError(
            f"The name before the address is too long: it has at most {_LONGEST_NAME} characters."
        )
    if not name.isprintable():
        for char in name:
            if unicodedata.category(char) in _REFUSED or char in DIRECTIONAL:
                raise AddressError(
                    f"The name before the address contains a control or invisible character "
                    f"({named(char)}). Type it by hand instead of pasting it."
                )
    return name


def quoted(text: str) -> str:
    """Give a quoted-string (RFC 5322, section 3.2.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _display_name(text: str) -> str:
    if text.startswith('"'):
        return checked_name(_unquoted(text))
    if SPECIALS.isdisjoint(text):
        return checked_name(text)
    if "@" in text and not {",", ";", "<"}.isdisjoint(text):
        raise AddressError("Only one address goes here. Type a single address.")
    wrong = next(char for char in text if char in SPECIALS)
    raise AddressError(f"The name before the address contains {named(wrong)}. {_QUOTE_IT}")


def _unquoted(text: str) -> str:
    chars = iter(text[1:])
    name = ""
    for char in chars:
        if char == '"':
            if next(chars, None) is None:
                return name
            raise AddressError(f"After the closing quotation mark only <…> follows. {_QUOTE_IT}")
        name += next(chars, "") if char == "\\" else char
    raise AddressError(f"The quotation mark before the name has no second one. {_QUOTE_IT}")
