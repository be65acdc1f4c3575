"""The encoding of values in SMTP's parameters (RFC 3461, section 4): ENVID and ORCPT.

All but visible ASCII goes as `+` and two upper-case hexadecimal digits, `+` and `=` too, so that
a value can neither end its parameter nor its line.
"""

import re

_ENCODED = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_OCTET = re.compile(rb"\+([0-9A-F]{2})")
_TO_ENCODE = re.compile(rb"[^!-*,-<>-~]")


class XtextError(ValueError):
    """The text is no xtext."""


def encoded(value: bytes) -> str:
    """Return `value` as xtext: visible ASCII alone."""
    return _TO_ENCODE.sub(lambda octet: b"+%02X" % octet[0][0], value).decode("ascii")


def decoded(text: bytes) -> bytes:
    """Return what xtext stands for. Raises `XtextError`."""
    if not _ENCODED.fullmatch(text):
        raise XtextError("That is no xtext.")
    return _OCTET.sub(lambda found: bytes((int(found[1], 16),)), text)
