"""The one parser of mail addresses, so that no two parts of the program read one differently.

It takes the Mailbox of RFC 5321, section 4.1.2, with the UTF-8 of RFC 6531, and nothing of RFC
5322's comments, folding and obsolete forms. What comes out holds no control character, no angle
bracket and an ASCII domain, so it can go into an SMTP command and a header as it is.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from smarthost.mail.characters import hidden_character, named
from smarthost.mail.domain import DomainError, ends_in_number, ipv4, ipv6, to_a_labels

# RFC 5322, section 3.2.3; RFC 6531, section 3.3, adds every character beyond ASCII.
_ATEXT = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\U0010ffff]"
_DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_NOT_IN_DOT_STRING = re.compile(rf"(?!{_ATEXT}|\.).", re.DOTALL)
_LOCAL_LIMIT = 64  # octets: RFC 5321, section 4.5.3.1.1
_ADDRESS_LIMIT = 254  # octets: a path of 256 (section 4.5.3.1.3) has two angle brackets
# Characters, before anything else looks at the text. Quoting and the Unicode form of a domain
# can make an address longer or shorter than it ends up, but not by as much as this.
_TEXT_LIMIT = 512
_SHOWN_LIMIT = 60
_EXAMPLE = "name@example.com"
_ONE_ONLY = "Only one address goes here. Type a single address, like name@example.com."


class AddressError(ValueError):
    """The text is no address; the message tells the person who typed it what is wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """A mailbox, made by `parse_address`; its `str()` is what goes on the wire.

    `local_part` is in Unicode's form NFC and quoted only where it has to be; its case is kept.
    `domain` is a name in lower-case A-labels, or a literal: `[192.0.2.1]`, `[IPv6:2001:db8::1]`.
    """

    local_part: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain}"


# A message names its sender and each recipient several times: in the envelope and in the header.
@lru_cache(maxsize=2048)
def parse_address(text: str) -> Address:
    """Read one mail address; blanks (U+0020) around it are dropped.

    At most 64 octets of local part in UTF-8, 253 characters of domain, 254 octets in all. A
    domain may be a single label.

    Raises `AddressError` on anything else, with a message for the person who typed it.
    """
    text = _readable(text)
    _refuse_habits(text)
    local_part, domain = _split(text)
    address = Address(local_part=_local_part(local_part), domain=_domain(domain))
    if len(str(address).encode()) > _ADDRESS_LIMIT:
        raise AddressError(f"The address is too long: it has at most {_ADDRESS_LIMIT} octets.")
    return address


def _readable(text: str) -> str:
    if len(text) > _TEXT_LIMIT:
        raise AddressError(f"The address is too long: it has at most {_ADDRESS_LIMIT} octets.")
    # Before the parsing, because some characters turn into ASCII punctuation: U+037E into ";".
    text = unicodedata.normalize("NFC", text.strip(" "))
    if not text:
        raise AddressError(f"Type an address, like {_EXAMPLE}.")
    hidden = hidden_character(text)
    if hidden is not None:
        raise AddressError(
            f"The address contains a control or invisible character (U+{ord(hidden):04X}). "
            "Type it by hand instead of pasting it."
        )
    return text


def _refuse_habits(text: str) -> None:
    """Explain what people paste instead of a bare address."""
    if text[:7].lower() == "mailto:":
        raise AddressError(f"Leave out mailto: and type the address alone, like {_EXAMPLE}.")
    # A quoted local part could hold these (RFC 5321), but then it would end the path of an SMTP
    # command in the eyes of a careless server.
    before, opening, rest = text.rpartition("<")
    if opening or ">" in text:
        alone = f"Type the address alone{_shown(rest.partition('>')[0])}, without < and >."
        if "<" in before:
            alone = _ONE_ONLY
        elif before.strip():
            alone += " The name before it belongs in the display name."
        raise AddressError(alone)


def _shown(text: str) -> str:
    try:
        address = str(parse_address(text))
    except AddressError:
        return ""
    return f", {address}" if len(address) <= _SHOWN_LIMIT else ""


def _split(text: str) -> tuple[str, str]:
    end = _closing_quote(text) + 1 if text.startswith('"') else text.find("@")
    if end < 0:
        raise AddressError(f"The address has no @. It looks like {_EXAMPLE}.")
    local_part, at_sign, domain = text[:end], text[end : end + 1], text[end + 1 :]
    if at_sign != "@":
        raise AddressError(f"After the closing quotation mark an @ follows, as in {_EXAMPLE}.")
    if not local_part:
        raise AddressError(f"The part before the @ is missing. An address looks like {_EXAMPLE}.")
    if not domain:
        raise AddressError(f"The domain after the @ is missing. An address looks like {_EXAMPLE}.")
    return local_part, domain


def _closing_quote(text: str) -> int:
    at = 1
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    if at >= len(text):
        raise AddressError("The quotation mark at the start has no second one before the @.")
    return at


def _local_part(text: str) -> str:
    if text.startswith('"'):
        text = _requoted(text[1:-1])
    else:
        _check_dot_string(text)
    if len(text.encode()) > _LOCAL_LIMIT:
        raise AddressError(
            f"The part before the @ is too long: it has at most {_LOCAL_LIMIT} octets."
        )
    return text


def _check_dot_string(text: str) -> None:
    if _is_dot_string(text):
        return
    found = _NOT_IN_DOT_STRING.search(text)
    wrong = found and found[0]
    if wrong in {",", ";"}:
        raise AddressError(_ONE_ONLY)
    if wrong:
        raise AddressError(
            f"The part before the @ contains {'a blank' if wrong == ' ' else named(wrong)}, "
            "but only letters, digits, dots and !#$%&'*+-/=?^_`{|}~ are allowed there."
        )
    raise AddressError(
        "The part before the @ neither begins nor ends with a dot, and has no two dots in a row."
    )


def _is_dot_string(text: str) -> bool:
    return _DOT_STRING.fullmatch(text) is not None


def _requoted(quoted: str) -> str:
    """Give the content between quotation marks as a dot-string if it is one, else quoted."""
    chars = iter(quoted)
    text = "".join(_escaped(next(chars)) if char == "\\" else char for char in chars)
    if not text:
        # RFC 5321 could read "" as a local part; no mailbox is called so, and servers differ.
        raise AddressError("There is nothing between the quotation marks before the @.")
    if _is_dot_string(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(char: str) -> str:
    # The quoted-pairSMTP of RFC 5321, section 4.1.2, which RFC 6531 leaves as it is.
    if not char.isascii():
        raise AddressError("A backslash before the @ stands only before an ASCII character.")
    return char


def _domain(text: str) -> str:
    if "," in text or ";" in text or ("@" in text and " " in text):
        raise AddressError(_ONE_ONLY)
    if "@" in text:
        raise AddressError(f"The address has more than one @. It looks like {_EXAMPLE}.")
    try:
        return _literal(text) if text.startswith("[") else _name(text)
    except DomainError as error:
        raise AddressError(f"The part after the @ is not a valid domain. {error}") from None


def _name(text: str) -> str:
    if " " in text:
        raise DomainError("It contains a blank.")
    if text.endswith("."):
        raise DomainError("Leave out the dot at its end.")
    name = to_a_labels(text)
    if ends_in_number(name):
        raise DomainError("It ends in a number; an IP address stands in brackets, [192.0.2.1].")
    return name


def _literal(text: str) -> str:
    inner = text[1:-1]
    if not text.endswith("]"):
        raise DomainError("The square bracket is not closed at the end.")
    if inner[:5].lower() == "ipv6:":
        return f"[IPv6:{ipv6(inner[5:])}]"
    if ":" in inner:
        raise DomainError("An IPv6 address is written like [IPv6:2001:db8::1].")
    return f"[{ipv4(inner)}]"
