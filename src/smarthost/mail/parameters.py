"""Parameters of a MIME header, such as a charset, a boundary or the name of a file.

A value is a token if it can be, else a quoted string; what is not ASCII or too long for a line is
written as RFC 2231 has it, since RFC 2047's encoded words have no place in a parameter. What
others wrote is read with more patience.
"""

import re
import string
from collections.abc import Iterator

from smarthost.mail.headers import checked
from smarthost.mail.mailbox import quoted

# What needs neither quoting nor percents: RFC 2231's attribute-char (section 7), which is RFC
# 2045's token without three characters that some readers take for RFC 2231's own in any place.
_PLAIN = frozenset(string.ascii_letters + string.digits + "!#$&+-.^_`{|}~")
_BLANKS = " \t"
# One parameter as others write it: each begins at its semicolon, and nothing is tried twice.
_PARAMETER = re.compile(
    r""";[ \t]*+([^\s=;"]++)[ \t]*+=[ \t]*+("(?:[^"\\]|\\.)*+"|[^\s;"]++)""", re.DOTALL
)
_PAIR = re.compile(r"\\(.)", re.DOTALL)
# So that "; " and the whole parameter fit on a line of their own.
_LONGEST = 70


def with_parameters(value: str, **parameters: str) -> str:
    """Give the value of a structured header, its parameters behind it in their order.

    Names are ASCII tokens of at most 20 characters. Raises `HeaderError` on a control character.
    """
    return "; ".join((value, *(part for pair in parameters.items() for part in _written(*pair))))


def _written(name: str, value: str) -> Iterator[str]:
    checked(name, value)
    plain = value if value and _PLAIN.issuperset(value) else quoted(value)
    # Many readers decode encoded words even where there can be none.
    if value.isascii() and "=?" not in value and len(name) + len(plain) < _LONGEST:
        yield f"{name}={plain}"
    else:
        yield from _extended(name, value)


def _extended(name: str, value: str) -> Iterator[str]:
    whole = "".join(map(_percent, value))
    if len(f"{name}*=utf-8''{whole}") <= _LONGEST:
        yield f"{name}*=utf-8''{whole}"
        return
    # Section 4.1: parts numbered from 0; the charset stands in the first alone.
    number = 0
    part = f"{name}*0*=utf-8''"
    for char in value:
        if len(part) + len(_percent(char)) > _LONGEST:
            yield part
            number += 1
            part = f"{name}*{number}*="
        part += _percent(char)
    yield part


def _percent(char: str) -> str:
    if char in _PLAIN:
        return char
    return "".join(f"%{octet:02X}" for octet in char.encode())


def read_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Give the value before the parameters, in small letters, and the parameters.

    Of an unfolded header that somebody else wrote. Names are in small letters too; the first of
    two equal ones counts. RFC 2231's names (`filename*`) are names like others. What is no
    parameter is left out.
    """
    first, _, rest = value.partition(";")
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(f";{rest}"):
        text = match[2]
        if text.startswith('"'):
            text = _PAIR.sub(r"\1", text[1:-1])
        found.setdefault(match[1].lower(), text)
    return first.partition("(")[0].strip(_BLANKS).lower(), found
