"""A message from its parts: text and HTML in, the finished octets of RFC 5322 out.

The body is always encoded, so that it is 7-bit with short lines whatever was typed, and any relay
can carry it unchanged. Nothing here is left to chance or to the clock: the same parts give the
same octets.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime

from smarthost.mail.address import Address
from smarthost.mail.header_reader import HeaderError
from smarthost.mail.headers import (
    Header,
    MailboxHeader,
    PlainHeader,
    TextHeader,
    header_block,
)
from smarthost.mail.parameters import with_parameters

# What `compose` writes itself, whom else a message could claim to be from or to go to, and what
# is a relay's to write. MIME's own (Content-…) and RFC 5322's Resent-… are refused by prefix.
_NOT_EXTRA = frozenset(
    {
        "bcc", "cc", "date", "from", "message-id", "mime-version", "received", "reply-to",
        "return-path", "sender", "subject", "to",
    }
)  # fmt: skip
_NOT_EXTRA_PREFIXES = ("content-", "resent-")
# RFC 5322, section 3.6.4: dot-atoms or a literal on the right, nothing quoted.
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MESSAGE_ID = re.compile(rf"<{_ATEXT}(?:\.{_ATEXT})*@(?:{_ATEXT}(?:\.{_ATEXT})*|\[[!-Z^-~]*\])>")
# So that the header fits on one line with its name and both brackets.
_LONGEST_MESSAGE_ID = 900
_LINE_END = re.compile(r"\r\n|\r|\n")


class ComposeError(ValueError):
    """The parts make no message; the message says which part is wrong."""


def compose(  # noqa: PLR0913 - each is a part of the message
    *,
    sender: Address,
    sender_name: str | None,
    to: Address,
    subject: str,
    text: str,
    html: str | None,
    message_id: str,
    date: datetime,
    extra: Mapping[str, str],
) -> bytes:
    """Give a finished message: lines end in CRLF, and no dot is stuffed yet.

    `message_id` has its angle brackets. `date` knows its time zone and is written in UTC. With
    `html` the message is a multipart/alternative, plain text first (RFC 2046, section 5.1.4).
    `extra` are further headers of free text, by name. The octets are ASCII, unless an address
    has a local part that is not. A body's last line gets its line end if it has none.

    Raises `HeaderError` on a text that cannot stand in a header, `ComposeError` on anything else.
    """
    headers: list[Header] = [
        PlainHeader(name="Date", value=_date(date)),
        MailboxHeader(name="From", address=sender, display_name=sender_name),
        MailboxHeader(name="To", address=to),
        PlainHeader(name="Message-ID", value=_message_id(message_id)),
        TextHeader(name="Subject", text=subject),
        *_extra_headers(extra),
        PlainHeader(name="MIME-Version", value="1.0"),
    ]
    if html is None:
        return _part("text/plain", text, headers)
    return _alternative(text, html, headers, _boundary(message_id))


def _date(date: datetime) -> str:
    if date.tzinfo is None:
        raise ComposeError("The date has no time zone.")
    return format_datetime(date.astimezone(UTC))


def _message_id(message_id: str) -> str:
    if len(message_id) > _LONGEST_MESSAGE_ID or not _MESSAGE_ID.fullmatch(message_id):
        raise ComposeError("The Message-ID is not of the form <name@domain>.")
    return message_id


def _extra_headers(extra: Mapping[str, str]) -> list[Header]:
    seen: set[str] = set()
    for name in map(str.lower, extra):
        if name in _NOT_EXTRA or name.startswith(_NOT_EXTRA_PREFIXES):
            raise HeaderError(f"The header {name} cannot be set here.")
        if name in seen:
            raise HeaderError(f"The header {name} is given twice.")
        seen.add(name)
    return [TextHeader(name=name, text=text) for name, text in extra.items()]


def _boundary(message_id: str) -> str:
    # "=_" stands in no line of quoted-printable or base64 (RFC 2045, section 6.7, note).
    return "=_" + hashlib.sha256(message_id.encode()).hexdigest()[:32]


def _alternative(text: str, html: str, headers: list[Header], boundary: str) -> bytes:
    content_type = with_parameters("multipart/alternative", boundary=boundary)
    top = header_block([*headers, PlainHeader(name="Content-Type", value=content_type)])
    line = b"--" + boundary.encode()
    # A part does not own the line end before a boundary, so each gets one more.
    return (
        b"\r\n".join(
            (top, line, _part("text/plain", text, []), line, _part("text/html", html, []), line)
        )
        + b"--\r\n"
    )


def _part(media_type: str, content: str, headers: list[Header]) -> bytes:
    encoding, body = _encoded(content)
    block = header_block(
        [
            *headers,
            PlainHeader(name="Content-Type", value=with_parameters(media_type, charset="utf-8")),
            PlainHeader(name="Content-Transfer-Encoding", value=encoding),
        ]
    )
    return block + b"\r\n" + body


def _encoded(content: str) -> tuple[str, bytes]:
    """Encode as quoted-printable or base64 (RFC 2045, section 6), whichever is shorter."""
    lines = _LINE_END.sub("\n", content)
    if lines and not lines.endswith("\n"):
        lines += "\n"
    try:
        octets = lines.encode()
    except UnicodeEncodeError:
        raise ComposeError("The text has half a character in it (a lone surrogate).") from None
    quoted = binascii.b2a_qp(octets, istext=True).replace(b"\n", b"\r\n")
    in_64 = base64.encodebytes(octets.replace(b"\n", b"\r\n")).replace(b"\n", b"\r\n")
    if len(quoted) <= len(in_64):
        return "quoted-printable", quoted
    return "base64", in_64
