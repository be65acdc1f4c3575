"""Turns what a client sends after the 354 into the message, however it is cut.

A message ends at CRLF.CRLF and nowhere else, and a CR or LF that is no part of a CRLF, or a NUL,
is a fault, never put right: whatever a server before or after this one might take for the end,
nothing inside a message can become a second one (SMTP smuggling). The work is done on blocks, not
on lines, since every message passes here.
"""

import re
from enum import Enum, auto

_END = b"\r\n.\r\n"
# It takes half of the time of `bytes.replace`, and memory for each line that it finds: blocks are
# small.
_STUFFED = re.compile(rb"\r\n\.")
# The first line has none before it; so a dot that begins it is found like any other.
_BEFORE = b"\r\n"
SWALLOWED = 64 * 1_024
"""Octets that are read beyond the limit, so that a client that is a little over reads why."""


class DataEnd(Enum):
    """How the octets of a message came to an end."""

    WHOLE = auto()
    TOO_LARGE = auto()
    """It is whole, and has more octets than it may have; they were dropped."""
    DROPPED = auto()
    """It is whole, and was dropped as `drop` asked."""
    ENDLESS = auto()
    """Its end has not come within `SWALLOWED` octets more than it may have."""
    MALFORMED = auto()
    """A CR or LF stands alone, or there is a NUL."""


class DataReader:
    """Reads one message of at most `limit` octets, which are counted without stuffed dots.

    The doubled dots of lines count towards where reading ends, so that this is the same octet
    however the stream is cut.
    """

    def __init__(self, limit: int) -> None:
        self.ended: DataEnd | None = None
        """None: more octets are to come."""
        self._limit = limit
        self._left = limit + SWALLOWED
        self._content = bytearray()
        self._unread = _BEFORE
        self._kept = True
        self._too_large = False
        self._rest = b""

    @property
    def octets(self) -> int:
        """How many octets are kept."""
        return len(self._content)

    @property
    def content(self) -> bytes:
        """The message, dots un-stuffed; each of its lines ends in CRLF."""
        return bytes(memoryview(self._content)[len(_BEFORE) :])

    @property
    def rest(self) -> bytes:
        """What has come behind the end."""
        return self._rest

    def drop(self) -> None:
        """Keep nothing of the message; its end is still looked for, if it has not come."""
        self._kept = False
        self._content = bytearray()
        if self.ended is DataEnd.WHOLE:
            self.ended = DataEnd.DROPPED

    def feed(self, octets: bytes) -> DataEnd | None:
        """Take octets from the client, up to the end of the message; return how it has ended."""
        taken = octets[: self._left] if len(octets) > self._left else octets
        self._left -= len(taken)
        block = self._unread + taken
        end = block.find(_END)
        if end >= 0:
            self._take(block[: end + 2])
            self._rest = block[end + len(_END) :] + octets[len(taken) :]
            self._end()
            return self.ended
        unsure = _unsure(block)
        self._take(block[: len(block) - unsure])
        self._unread = block[len(block) - unsure :]
        if self.ended is None and not self._left:
            self.ended = DataEnd.ENDLESS
        return self.ended

    def _take(self, block: bytes) -> None:
        """Take octets that neither begin nor end within a CRLF."""
        lines = block.count(b"\r\n")
        if block.count(b"\r") != lines or block.count(b"\n") != lines or b"\0" in block:
            self.ended = DataEnd.MALFORMED
        elif self._kept:
            self._content += _STUFFED.sub(b"\r\n", block)
            if len(self._content) - len(_BEFORE) > self._limit:
                self._too_large = True
                self.drop()

    def _end(self) -> None:
        if self.ended is not None:
            return
        if self._kept:
            self.ended = DataEnd.WHOLE
        else:
            self.ended = DataEnd.TOO_LARGE if self._too_large else DataEnd.DROPPED


def _unsure(block: bytes) -> int:
    """Return how many octets at the end could belong to the end of the message."""
    return next((size for size in (4, 3, 2, 1) if block.endswith(_END[:size])), 0)
