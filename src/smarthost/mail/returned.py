"""What a notice returns of the message that it is about (RFC 6522, section 3).

Its whole or its header goes back in seven bits, as any relay could have had it. What cannot be
written so, or is no sound lines, is left out: a notice without it is better than none.
"""

from smarthost.mail.body import shorter
from smarthost.mail.downgrade import NotDowngradable, downgraded
from smarthost.mail.fields import header_end
from smarthost.mail.header_reader import has_long_line
from smarthost.mail.headers import PlainHeader
from smarthost.mail.part import Part

LONGEST_RETURNED = 65_536
"""Octets of a message that is returned as a whole, and of a header that is."""


def returned(content: bytes, *, whole: bool) -> Part | None:
    """Give the last part of a notice, None where nothing can be returned.

    `content` is the message, or as much of its beginning as is there: then not `whole`.
    """
    end, body = header_end(content, 0, len(content))
    if not 0 < end < body:  # cut within its header, or without any
        return None
    if whole and (message := _in_seven_bits(content)) is not None:
        return Part((_content_type("message/rfc822"),), message)
    header = content[:end]
    if (fields := _in_seven_bits(header)) is not None:
        return Part((_content_type("text/rfc822-headers"),), fields)
    return _in_utf8(header)


def _in_seven_bits(octets: bytes) -> bytes | None:
    made = downgraded(octets, eight_bit=False, smtputf8=False)
    if isinstance(made, NotDowngradable) or not _is_sound(made):
        return None
    return made


def _in_utf8(header: bytes) -> Part | None:
    """Give a header with an address beyond ASCII (RFC 6533, section 5.3), which may be encoded."""
    try:
        header.decode()
    except UnicodeDecodeError:
        return None
    if not _is_sound(header):
        return None
    encoding, body = shorter(header)
    transfer = PlainHeader(name="Content-Transfer-Encoding", value=encoding)
    return Part((_content_type("message/global-headers"), transfer), body)


def _content_type(value: str) -> PlainHeader:
    return PlainHeader(name="Content-Type", value=value)


def _is_sound(octets: bytes) -> bool:
    """Whether they are lines that mail can carry, each ended by CRLF."""
    ends = octets.count(b"\r\n")
    return (
        octets.endswith(b"\r\n")
        and octets.count(b"\r") == octets.count(b"\n") == ends
        and b"\0" not in octets
        and not has_long_line(octets, 0, len(octets))
    )
