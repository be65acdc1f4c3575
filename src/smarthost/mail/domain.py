"""Domain names as DNS has them, and IP addresses in one spelling.

Names become lower-case A-labels here (RFC 5890), so that two spellings of one name are one text
and a look-alike name shows itself as `xn--…`. IP addresses have one spelling only, because the
short, octal and hexadecimal ones are read differently by different programs.
"""

import ipaddress
import string
from functools import lru_cache

import idna

from smarthost.mail.characters import named

_LDH = frozenset(string.ascii_lowercase + string.digits + "-")
_HEX = frozenset(string.hexdigits)
# RFC 1035, section 2.3.4: 63 octets a label, 255 a name in wire form, which is 253 as text.
_LABEL_LIMIT = 63
_NAME_LIMIT = 253


class DomainError(ValueError):
    """The text is no domain name or no IP address; the message says why in plain words."""


@lru_cache(maxsize=2048)
def to_a_labels(text: str, *, underscore: bool = False) -> str:
    """Give a domain name as lower-case A-labels (RFC 5891, mapped by UTS 46).

    The caller caps the length of `text`; no final dot. The same few domains come again and
    again, so the last ones are kept. With `underscore` an ASCII label may
    contain `_`. A name of digits alone passes: see `ends_in_number`.

    Raises `DomainError` when the text is not a name.
    """
    allowed = _LDH | {"_"} if underscore else _LDH
    try:
        # Not STD3 here: `_a_label` keeps to that rule and words it.
        mapped = idna.uts46_remap(text, std3_rules=False)
        name = ".".join(_a_label(label, allowed) for label in mapped.split("."))
    except idna.IDNAError as error:
        raise DomainError(_in_plain_words(error)) from None
    if len(name) > _NAME_LIMIT:
        raise DomainError(f"A name has at most {_NAME_LIMIT} characters, counted in xn-- form.")
    return name


def ends_in_number(name: str) -> bool:
    """Tell whether some program could read the name as an IPv4 address.

    The rule is the URL standard's: the last label is decimal or begins with 0x. No top-level
    domain is like that (RFC 3696, section 2).
    """
    last = name.rpartition(".")[2]
    return last.isdecimal() or (last.startswith("0x") and _HEX.issuperset(last[2:]))


def ipv4(text: str) -> str:
    """Give an IPv4 address, which is four decimal numbers 0-255 without leading zeros.

    Raises `DomainError` on octal, hexadecimal and short forms and on anything else.
    """
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise DomainError(
            "An IPv4 address is four decimal numbers from 0 to 255 without leading zeros, "
            "like 192.0.2.1."
        ) from None


def ipv6(text: str) -> str:
    """Give an IPv6 address, without brackets, in the form of RFC 5952.

    Raises `DomainError` on anything else, on a zone and on an IPv4 address in IPv6 form.
    """
    if "%" in text:
        raise DomainError("An IPv6 address is given here without a zone, the part after %.")
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise DomainError(
            "Only an IPv6 address has colons in it, and this is not one; "
            "one looks like 2001:db8::1."
        ) from None
    if address.ipv4_mapped:
        # One destination keeps one spelling; Python's own for this one changed with 3.13.
        raise DomainError(f"Type this address in its IPv4 form, {address.ipv4_mapped}.")
    return address.compressed


def _a_label(label: str, allowed: frozenset[str]) -> str:
    if not label:
        raise DomainError("Take out the dot that has nothing before or after it.")
    if len(label) > _LABEL_LIMIT:
        raise DomainError(f"The part between two dots has at most {_LABEL_LIMIT} characters.")
    if not label.isascii():
        return idna.alabel(label).decode("ascii")
    if not allowed.issuperset(label):
        wrong = next(char for char in label if char not in allowed)
        raise DomainError(
            f"It contains {named(wrong)}, but only letters, digits, hyphens and dots are allowed."
        )
    if label.startswith("-") or label.endswith("-"):
        raise DomainError("The part between two dots neither begins nor ends with a hyphen.")
    if label.startswith("xn--"):
        idna.ulabel(label)
    return label


def _in_plain_words(error: idna.IDNAError) -> str:
    if error.code in {"label_too_long", "domain_too_long"}:
        return f"The part between two dots has at most {_LABEL_LIMIT} characters in xn-- form."
    if error.codepoint is not None:
        return f"It contains {named(chr(error.codepoint))}, which is not allowed there in a name."
    return "It is not a valid internationalised name (IDNA 2008). Check its spelling."
