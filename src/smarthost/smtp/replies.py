"""Reads the replies of an SMTP server (RFC 5321, section 4.2), strictly and within bounds.

A relay is not trusted: a line, a reply and their number have limits, so that it can neither fill
the memory nor leave two readings of where a reply ends. What it says is made printable here, once,
so that no terminal, log or page has to.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from smarthost.smtp.errors import ProtocolError, Reason
from smarthost.smtp.reply import Reply

LINE_LIMIT = 2_048
"""Octets of a line, CRLF included. RFC 5321 asks for 512; servers send more."""
REPLY_LINES_LIMIT = 100
REPLY_LIMIT = 16 * 1_024
"""Octets of all lines of a reply."""

_LINE = re.compile(rb"([2-5][0-5][0-9])(?:([ -])([^\r]*))?\r\n")
# RFC 2034: the class is the code's first digit.
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |\Z)", re.ASCII)


class ReplyReader:
    """Turns a stream of octets, however it is cut, into replies.

    After a fault it is spent: nothing that follows could be trusted to start where a reply starts.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._code = b""
        self._lines: list[str] = []
        self._size = 0

    @property
    def has_rest(self) -> bool:
        """Whether part of a reply has come and its end has not."""
        return bool(self._rest or self._lines)

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Take octets and yield the replies that are complete with them.

        Raises `ProtocolError` after yielding the replies before the fault. The iterator has to be
        used up before the next call.
        """
        if self._rest:
            data = self._rest + data
        start = 0
        while end := data.find(b"\n", start) + 1:
            reply = self._take(data[start:end])
            start = end
            if reply is not None:
                yield reply
        self._rest = data[start:]
        if len(self._rest) >= LINE_LIMIT:
            raise ProtocolError(Reason.LINE_TOO_LONG)

    def _take(self, line: bytes) -> Reply | None:
        if len(line) > LINE_LIMIT:
            raise ProtocolError(Reason.LINE_TOO_LONG)
        code, separator, text = _read(line)
        if self._lines and code != self._code:
            raise ProtocolError(Reason.MIXED_CODES)
        self._code = code
        self._lines.append(text)
        self._size += len(line)
        if len(self._lines) > REPLY_LINES_LIMIT or self._size > REPLY_LIMIT:
            raise ProtocolError(Reason.REPLY_TOO_LONG)
        return None if separator == b"-" else self._finished()

    def _finished(self) -> Reply:
        lines = tuple(self._lines)
        self._lines, self._size = [], 0
        code = self._code.decode()
        enhanced = _ENHANCED.match(lines[0])
        return Reply(
            code=int(code),
            enhanced=enhanced[1] if enhanced and enhanced[1][0] == code[0] else None,
            lines=lines,
        )


# A relay says the same to each message.
@lru_cache(maxsize=128)
def _read(line: bytes) -> tuple[bytes, bytes, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ProtocolError(_fault(line))
    code, separator, text = found.groups(b"")
    return code, separator, _printable(text)


def _fault(line: bytes) -> Reason:
    """Say why a line is none of a reply."""
    if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
        return Reason.BARE_LINE_END
    return Reason.BAD_CODE


def _printable(text: bytes) -> str:
    words = text.decode("utf-8", "replace").replace("\t", " ")
    if words.isprintable():
        return words
    return "".join(char if char.isprintable() else "\ufffd" for char in words)
