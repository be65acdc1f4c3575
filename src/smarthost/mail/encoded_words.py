"""Text beyond ASCII in a header: RFC 2047's encoded words, written and read.

What is written is always whole: a text is either plain or nothing but encoded words, so that a
reader never has to tell the two apart inside one value, and UTF-8 is its only charset. What other
programs wrote is shown as well as it can be.
"""

import base64
import binascii
import re
import string
import unicodedata
from collections.abc import Callable, Iterator

from smarthost.mail.charsets import text_of

_PREFIX = "=?utf-8?"
# Section 2: an encoded word has at most 75 characters.
LONGEST = 75
_ROOM_TAKEN = len(_PREFIX) + len("q?") + len("?=")
# The shortest room worth beginning in: one character of four octets in Q.
SHORTEST = _ROOM_TAKEN + len("=F0=9F=93=A7")
# Section 5 (3), what Q may leave as it is inside a phrase, which is the narrowest place.
_LEFT_BY_Q = frozenset(string.ascii_letters + string.digits + "!*+-/")
_BLANKS = re.compile(r"([ \t]+)")
_WORD = re.compile(r"=\?utf-8\?([bq])\?([!-<>@-~=]*)\?=", re.IGNORECASE)
# Any charset; RFC 2231, section 5, may put a language behind it.
_ANY_WORD = re.compile(r"=\?([!-)+->@-~]+)(?:\*[!->@-~]*)?\?([bq])\?([!->@-~]*)\?=", re.IGNORECASE)
_UNSHOWN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_Q_OCTET = re.compile(rb"=([0-9A-F]{2})", re.IGNORECASE)


def encoded_words(text: str, *, first_room: int) -> Iterator[str]:
    """Encode `text` as words of at most 75 characters, each of whole characters.

    The first word has `first_room` characters at most, so that it fits on a line that is begun;
    a room that is too small for any word counts as 75. Q or B is taken, whichever is shorter.
    """
    first_room = min(first_room if first_room >= SHORTEST else LONGEST, LONGEST) - _ROOM_TAKEN
    room = LONGEST - _ROOM_TAKEN
    if sum(map(_q_cost, text)) <= (len(text.encode()) + 2) // 3 * 4:
        for piece in _pieces(text, _q_cost, first_room, room):
            yield f"{_PREFIX}q?{''.join(map(_q, piece))}?="
    else:
        for piece in _pieces(text, _octets, first_room // 4 * 3, room // 4 * 3):
            yield f"{_PREFIX}b?{base64.b64encode(piece.encode()).decode()}?="


def decoded(value: str) -> str:
    """Read a value that may hold encoded words; blanks between two of these are no text.

    What is not an encoded word in UTF-8 stays as it stands (section 6.3).
    """
    if "=?" not in value:
        return value
    text: list[str] = []
    blanks = ""
    after_word = False
    for token in _BLANKS.split(value):
        if token[:1] in {" ", "\t"}:
            blanks = token
            continue
        word = _decoded_word(token)
        if not after_word or word is None:
            text.append(blanks)
        text.append(token if word is None else word)
        blanks = ""
        after_word = word is not None
    return "".join(text)


def shown(value: str) -> str:
    """Read a value for people: encoded words of any charset, and U+FFFD for what cannot be read.

    Characters that several words share are put together, which RFC 2047 forbids and programs do.
    The result is one line without control characters.
    """
    return one_line(_shown(value) if "=?" in value else value)


def one_line(text: str) -> str:
    """Give a text with U+FFFD in place of control characters and line ends; tabs become blanks."""
    if text.isprintable():
        return text
    return "".join(
        "\ufffd" if unicodedata.category(char) in _UNSHOWN else char
        for char in text.replace("\t", " ")
    )


def _shown(value: str) -> str:
    text: list[str] = []
    run, charset, blanks = b"", "", ""
    for token in _BLANKS.split(value):
        if token[:1] in {" ", "\t"}:
            blanks = token
            continue
        match = _ANY_WORD.fullmatch(token)
        if match is None or match[1].lower() != charset:
            text.append(text_of(run, charset))
            run = b""
        if match is None:
            text.append(blanks + token)
            charset = ""
        else:
            text.append("" if charset else blanks)
            charset = match[1].lower()
            run += _octets_of(match[2].lower(), match[3].encode())
        blanks = ""
    return "".join((*text, text_of(run, charset), blanks))


def _octets_of(encoding: str, content: bytes) -> bytes:
    if encoding == "q":
        return _Q_OCTET.sub(_octet, content.replace(b"_", b" "))
    try:
        return binascii.a2b_base64(content + b"==")
    except binascii.Error:
        return content


def _pieces(text: str, cost: Callable[[str], int], first_room: int, room: int) -> Iterator[str]:
    begin = used = 0
    left = first_room
    for at, char in enumerate(text):
        size = cost(char)
        if at > begin and used + size > left:
            yield text[begin:at]
            begin, used, left = at, 0, room
        used += size
    yield text[begin:]


def _q(char: str) -> str:
    if char in _LEFT_BY_Q:
        return char
    return "_" if char == " " else "".join(f"={octet:02X}" for octet in char.encode())


def _q_cost(char: str) -> int:
    return 1 if char == " " or char in _LEFT_BY_Q else 3 * _octets(char)


def _octets(char: str) -> int:
    return len(char.encode())


def _decoded_word(token: str) -> str | None:
    match = _WORD.fullmatch(token)
    if match is None:
        return None
    encoding, content = match[1].lower(), match[2].encode()
    try:
        if encoding == "b":
            return base64.b64decode(content, validate=True).decode()
        return _Q_OCTET.sub(_octet, content.replace(b"_", b" ")).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _octet(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode())
