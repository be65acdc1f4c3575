"""A message as DATA carries it (RFC 5321, sections 2.3.8 and 4.5.2).

Line ends are made CRLF before dots are doubled: done the other way round, a bare line feed before
a dot could end the message in the eyes of the next server, and what follows would be a message of
its own (SMTP smuggling).
"""

import re

_LINE_END = re.compile(rb"\r\n|\r|\n")


class Content:
    """A message whose lines end in CRLF, whatever `body` has: nothing else goes to a relay."""

    __slots__ = ("lines",)

    def __init__(self, body: bytes) -> None:
        self.lines = _with_crlf(body)

    @property
    def octets(self) -> int:
        """The size as SIZE means it (RFC 1870, section 3): before dot-stuffing."""
        return len(self.lines)

    @property
    def is_ascii(self) -> bool:
        """Whether no octet is above 127."""
        return self.lines.isascii()

    def dot_stuffed(self) -> bytes:
        """Give the octets that follow the 354, the final CRLF.CRLF included.

        A last line without an end gets one.
        """
        lines = self.lines
        if not lines:
            return b".\r\n"
        stuffed = lines.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")


def _with_crlf(body: bytes) -> bytes:
    """Turn each bare CR and each bare LF into CRLF."""
    pairs = body.count(b"\r\n")
    if pairs == body.count(b"\n") == body.count(b"\r"):
        return body
    return _LINE_END.sub(b"\r\n", body)
