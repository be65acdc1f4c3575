"""Turns the octets of an SMTP client, however they are cut, into command lines.

A line ends in CRLF and in nothing else (RFC 5321, section 2.3.8): where a client and whatever
stands before it could see two line ends in different places, one of them could be made to send
commands of somebody else's. So a bare CR, a bare LF or a NUL ends the session, as does a line that
is longer than any command.
"""

from enum import Enum, auto

COMMAND_LIMIT = 2_048
"""Octets of a command, CRLF included: RFC 5321's 512, and what the extensions add to MAIL and
RCPT, 1,053 in all (RFC 1870, 3461, 4954, 6152, 6531), rounded up."""
AUTH_LIMIT = 12_288
"""Octets of AUTH with an initial response and of any other response (RFC 4954, section 4)."""

_AUTH = b"AUTH "


class LineFault(Enum):
    """Why a line is none."""

    TOO_LONG = auto()
    NOT_CRLF = auto()
    """A CR or LF stands alone."""
    NUL = auto()


class LineError(Exception):
    """The octets are no line; nothing behind them can be trusted to begin where a line begins."""

    def __init__(self, fault: LineFault) -> None:
        super().__init__(f"That is no line of a command: {fault.name}.")
        self.fault = fault


class CommandReader:
    """Keeps what has come and was not taken."""

    def __init__(self) -> None:
        self._octets = b""
        self._at = 0

    @property
    def has_rest(self) -> bool:
        """Whether octets have come that were not taken."""
        return self._at < len(self._octets)

    def feed(self, octets: bytes) -> None:
        """Take octets from the client."""
        self._octets = self._octets[self._at :] + octets if self.has_rest else octets
        self._at = 0

    def rest(self) -> bytes:
        """Take everything that has come, as octets."""
        rest = self._octets[self._at :]
        self._octets, self._at = b"", 0
        return rest

    def line(self, *, response: bool = False) -> bytes | None:
        """Take the next line, without its end; None: it is not whole yet.

        `response`: it answers a challenge of AUTH, and may be as long. Raises `LineError`.
        """
        begin = self._at
        longest = COMMAND_LIMIT
        if response or self._octets[begin : begin + len(_AUTH)].upper() == _AUTH:
            longest = AUTH_LIMIT
        end = self._octets.find(b"\n", begin, begin + longest)
        if end < 0:
            if len(self._octets) - begin >= longest:
                raise LineError(LineFault.TOO_LONG)
            return None
        self._at = end + 1
        line = self._octets[begin:end]
        if not line.endswith(b"\r") or b"\r" in line[:-1]:
            raise LineError(LineFault.NOT_CRLF)
        if b"\0" in line:
            raise LineError(LineFault.NUL)
        return line[:-1]
