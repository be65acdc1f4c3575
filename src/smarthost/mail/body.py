"""Bodies in octets that any relay can carry: 7-bit, in short lines (RFC 2045, section 6).

A text whose lines are short and plain already stays as it was typed, everything else is encoded.
The same text gives the same octets.
"""

import base64
import binascii
import string
from typing import NamedTuple

# RFC 5322, section 2.1.1: what a line should have at most.
_LONGEST = 78
_PLAIN = (string.printable.replace("\r", "").replace("\x0b", "").replace("\x0c", "")).encode()
# A line that ends in a blank may lose it on the way, and one that is only a dot has ended messages
# at the wrong place. "=_" begins our boundaries: quoted-printable and base64 have it in no line
# (RFC 2045, section 6.7), so nobody's text can end its part.
_NOT_AS_TYPED = (b" \n", b"\t\n", b"\n.\n", b"\n--=_")
_BASE64_LINE = 76
_BASE64_PIECE = 57 * 1024  # whole lines


class Encoded(NamedTuple):
    """The value of Content-Transfer-Encoding, and the body in lines that end in CRLF."""

    encoding: str
    body: bytes


def encoded_text(text: str) -> Encoded:
    """Encode a text, its line ends made CRLF; the last line gets one if it has none.

    Raises `UnicodeEncodeError` on a lone surrogate.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    if lines and not lines.endswith("\n"):
        lines += "\n"
    octets = lines.encode()
    if _is_plain(octets):
        return Encoded("7bit", octets.replace(b"\n", b"\r\n"))
    return shorter(octets.replace(b"\n", b"\r\n"))


def shorter(octets: bytes) -> Encoded:
    """Encode octets whose every line ends in CRLF as quoted-printable or base64."""
    quoted = binascii.b2a_qp(octets.replace(b"\r\n", b"\n"), istext=True)
    quoted = quoted.replace(b"\n", b"\r\n")
    in_64 = (len(octets) + 2) // 3 * 4
    if len(quoted) <= in_64 + 2 * -(-in_64 // _BASE64_LINE):
        return Encoded("quoted-printable", quoted)
    return in_base64(octets)


def in_base64(octets: bytes) -> Encoded:
    """Encode any octets as base64 in lines of 76 characters."""
    # Some lines at a time: each one of a large file kept for itself would take several times it.
    body = b"".join(
        _base64_lines(octets[at : at + _BASE64_PIECE])
        for at in range(0, len(octets), _BASE64_PIECE)
    )
    return Encoded("base64", body)


def _base64_lines(octets: bytes) -> bytes:
    text = base64.b64encode(octets)
    lines = (text[at : at + _BASE64_LINE] for at in range(0, len(text), _BASE64_LINE))
    return b"\r\n".join((*lines, b""))


def _is_plain(octets: bytes) -> bool:
    """Whether the lines, ended by LF, can go as they are."""
    if octets.translate(None, _PLAIN) or max(map(len, octets.split(b"\n"))) > _LONGEST:
        return False
    lines = b"\n" + octets
    return not any(sequence in lines for sequence in _NOT_AS_TYPED)
