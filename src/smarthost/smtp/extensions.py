"""What a relay says it can do, read from its answer to EHLO (RFC 5321, section 4.1.1.1).

Only what this program uses is kept, and only where it is well formed: the answer is the relay's
word and as long as a reply may be.
"""

import re
from dataclasses import dataclass
from typing import Self

from smarthost.smtp.reply import Reply

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,20}", re.ASCII)  # RFC 1870, section 3
_MECHANISM = re.compile(r"[A-Z0-9_-]{1,20}", re.ASCII)  # RFC 4422, section 3.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Extensions:
    """The extensions on offer.

    `size` is the largest message in octets, None where the relay names no limit (RFC 1870: also
    by 0). `auth` holds the mechanisms in the relay's order, in upper case, each one once.
    """

    starttls: bool = False
    size: int | None = None
    eight_bit_mime: bool = False
    smtp_utf8: bool = False
    pipelining: bool = False
    enhanced_status_codes: bool = False
    dsn: bool = False
    auth: tuple[str, ...] = ()

    @classmethod
    def of(cls, reply: Reply) -> Self:
        """Read the reply to EHLO; its first line is a greeting."""
        offered: dict[str, list[str]] = {}
        for line in reply.lines[1:]:
            keyword, *parameters = line.split(" ")
            if _KEYWORD.fullmatch(keyword):
                offered.setdefault(keyword.upper(), []).extend(parameters)
        return cls(
            starttls="STARTTLS" in offered,
            size=_size(offered.get("SIZE", [])),
            eight_bit_mime="8BITMIME" in offered,
            smtp_utf8="SMTPUTF8" in offered,
            pipelining="PIPELINING" in offered,
            enhanced_status_codes="ENHANCEDSTATUSCODES" in offered,
            dsn="DSN" in offered,
            auth=_mechanisms(offered.get("AUTH", [])),
        )


def _size(parameters: list[str]) -> int | None:
    if not parameters or not _SIZE.fullmatch(parameters[0]):
        return None
    return int(parameters[0]) or None


def _mechanisms(parameters: list[str]) -> tuple[str, ...]:
    names = dict.fromkeys(name.upper() for name in parameters)
    return tuple(name for name in names if _MECHANISM.fullmatch(name))
