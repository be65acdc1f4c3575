"""A message that an application wrote itself: what it says is read, and it is made fit to be sent.

It keeps its octets wherever they can go on, in their order, so that its signatures stay valid:
nothing is refolded or put right. What two readers could take for two things is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from smarthost.mail.address import AddressError
from smarthost.mail.address_list import parse_mailbox_list
from smarthost.mail.compose import date_value, message_id_value
from smarthost.mail.encoded_words import shown
from smarthost.mail.fields import Field, header_end, read_fields
from smarthost.mail.header_reader import LONGEST_LINE, has_long_line
from smarthost.mail.mailbox import Mailbox
from smarthost.mail.mime import MimeError, parts_of
from smarthost.mail.reencode import Edit, applied, reencoded

MOST_RECEIVED = 30
"""Servers that a message may have come through; with more it goes in a circle."""
LONGEST_HEADER = 262_144
"""Octets. Relays take less; it bounds what reading costs."""

# What programs write before each message in a folder of mail (RFC 4155).
_MBOX_LINE = re.compile(rb"From [^\r\n]*(?:\r\n|\r|\n)")
# RFC 5322, section 3.6, and MIME's own: programs differ in which of two they take.
_ONCE = frozenset(
    {
        "bcc", "cc", "content-transfer-encoding", "content-type", "date", "from", "in-reply-to",
        "message-id", "mime-version", "references", "reply-to", "sender", "subject", "to",
    }
)  # fmt: skip
_NEVER_EMPTY = frozenset({"date", "from", "message-id", "sender"})
_BLANK_LINE = re.compile(rb"\r\n[ \t]+(?=\r\n)")
_TAKEN_OUT = frozenset({"bcc", "resent-bcc", "return-path"})
_SHOWN = 60


class RawMessageError(ValueError):
    """The octets are no message that can be sent; the message says why and what to change."""


class LoopError(RawMessageError):
    """The message has come through so many servers that it goes in a circle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submitted:
    """A message that can be sent, and what its header says; its `repr` leaves the octets out."""

    content: bytes = field(repr=False)
    """Lines end in CRLF, the last one too; no header names a blind copy."""
    from_mailboxes: tuple[Mailbox, ...]
    """At least one. Who may write as each of these and as `sender_mailbox` may send it."""
    sender_mailbox: Mailbox | None
    """Of the header Sender, which there is when it is from several."""
    reply_to: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    subject: str
    """For people, decoded, on one line; empty if there is none."""
    message_id: str
    """With its angle brackets if it is as it should be."""

    @property
    def from_mailbox(self) -> Mailbox:
        """The first whom it is from."""
        return self.from_mailboxes[0]


def submitted(
    raw: bytes, *, message_id: str, date: datetime, trace: bytes = b"", crlf: bool = False
) -> Submitted:
    """Read a message and make it fit to be sent; `trace` goes on top, whole fields with CRLF.

    Line ends become CRLF; with `crlf` they are known to be, and no NUL to be there. A line
    `From …` of a mail folder before it is dropped; Bcc, Resent-Bcc and Return-Path are taken out;
    `message_id` (with angle brackets) and `date` (with its time zone) are added behind the header
    where it has none. A part with lines of more than 998 octets is encoded anew.

    Raises `LoopError` on more than 30 Received headers; `RawMessageError` on a NUL, a header that
    is not of RFC 5322, is not UTF-8 or has lines of more than 998 octets, no or several From,
    and long lines that cannot be encoded; `ComposeError` on a `message_id` or `date` that is none.
    """
    content = _without_mbox_line(raw)
    content, changed = (content, False) if crlf else _with_crlf(content)
    end, body = header_end(content, 0, len(content))
    fields = _checked_fields(content, end)
    read = _Header(fields)
    added = {}
    if not read.has("message-id"):
        added["Message-ID"] = message_id_value(message_id)
    if not read.has("date"):
        added["Date"] = date_value(date)
    content = _rewritten(content, fields, end, added, trace)
    if body == end:  # there is no empty line, and so no body
        content += b"\r\n"
    return Submitted(
        content=_with_short_lines(content, changed=changed),
        from_mailboxes=_authors(read),
        sender_mailbox=_sender(read),
        reply_to=read.mailboxes("reply-to"),
        to=read.mailboxes("to"),
        cc=read.mailboxes("cc"),
        bcc=read.mailboxes("bcc"),
        subject=shown(read.value("subject")),
        message_id=read.value("message-id") or message_id,
    )


class _Header:
    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields = {field.lower_name: field for field in fields}

    def has(self, lower_name: str) -> bool:
        return lower_name in self._fields

    def value(self, lower_name: str) -> str:
        field = self._fields.get(lower_name)
        return "" if field is None else field.value

    def mailboxes(self, lower_name: str) -> tuple[Mailbox, ...]:
        value = self.value(lower_name)
        if not value:
            return ()
        try:
            return parse_mailbox_list(value)
        except AddressError as error:
            raise RawMessageError(
                f"The header {lower_name.title()} cannot be read. {error}"
            ) from None


def _without_mbox_line(raw: bytes) -> bytes:
    line = _MBOX_LINE.match(raw)
    content = raw[line.end() :] if line else raw
    if not content:
        raise RawMessageError("The message is empty.")
    return content


def _with_crlf(raw: bytes) -> tuple[bytes, bool]:
    """Give the message in lines that end in CRLF, and whether any did not."""
    if b"\0" in raw:
        raise RawMessageError("The message has a NUL in it. Encode such a part in base64.")
    whole = raw.count(b"\r\n")
    changed = not raw.count(b"\r") == whole == raw.count(b"\n")
    content = raw
    if changed:
        lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        content = lines.replace(b"\n", b"\r\n")
    return (content if content.endswith(b"\r\n") else content + b"\r\n"), changed


def _checked_fields(content: bytes, end: int) -> Sequence[Field]:
    if end > LONGEST_HEADER:
        raise RawMessageError(f"The header has more than {LONGEST_HEADER} octets.")
    if has_long_line(content, 0, end):
        raise RawMessageError(
            f"A line of the header has more than {LONGEST_LINE} octets. Fold it."
        )
    fields = read_fields(content, 0, end)
    for one in fields:
        _check_field(one)
    _check_lines(content, end, fields)
    _check_counts([one.lower_name for one in fields])
    return fields


def _check_field(one: Field) -> None:
    if not one.name:
        line = one.raw.partition(b"\r\n")[0].decode(errors="replace")[:_SHOWN]
        raise RawMessageError(
            f"The header has the line {line!a}, which is no name with a colon behind it. An empty "
            "line ends the header."
        )
    if not one.raw and one.lower_name in _NEVER_EMPTY:
        raise RawMessageError(f"The header {one.name} is empty. Fill it in or leave it out.")


def _check_lines(content: bytes, end: int, fields: Sequence[Field]) -> None:
    # Some programs take such a line for the end of the header.
    if blank := _BLANK_LINE.search(content, 0, end):
        name = _name_at(blank.start(), fields)
        raise RawMessageError(f"The header {name} is folded with a line of blanks alone.")
    try:
        content[:end].decode()
    except UnicodeDecodeError as error:
        name = _name_at(error.start, fields)
        raise RawMessageError(f"The header {name} is not in UTF-8.") from None


def _name_at(place: int, fields: Sequence[Field]) -> str:
    return next(one.name for one in fields if place < one.end)


def _check_counts(names: Sequence[str]) -> None:
    if len(set(names)) == len(names):
        return
    for name in _ONCE:
        if names.count(name) > 1:
            raise RawMessageError(f"The header {name.title()} is there twice. Give it once.")
    if names.count("received") > MOST_RECEIVED:
        raise LoopError(
            f"The message has come through more than {MOST_RECEIVED} servers, so it goes in a "
            "circle. Look where the relay delivers to."
        )


def _authors(header: _Header) -> tuple[Mailbox, ...]:
    authors = header.mailboxes("from")
    if not authors:
        raise RawMessageError("The header From is missing: it says whom the message is from.")
    if len(authors) > 1 and not header.has("sender"):
        # RFC 5322, section 3.6.2.
        raise RawMessageError("With several addresses in From, the header Sender names one.")
    return authors


def _sender(header: _Header) -> Mailbox | None:
    if not header.has("sender"):
        return None
    mailboxes = header.mailboxes("sender")
    if len(mailboxes) != 1:
        raise RawMessageError("The header Sender has one address and no more.")
    return mailboxes[0]


def _rewritten(
    content: bytes, fields: Sequence[Field], end: int, added: dict[str, str], trace: bytes
) -> bytes:
    edits: list[Edit] = [(0, 0, trace)]
    edits += [(one.begin, one.end, b"") for one in fields if one.lower_name in _TAKEN_OUT]
    lines = "".join(f"{name}: {value}\r\n" for name, value in added.items())
    return applied(content, [*edits, (end, end, lines.encode())])


def _with_short_lines(content: bytes, *, changed: bool) -> bytes:
    if changed and _has_binary_part(content):
        raise RawMessageError(
            "A part is marked as binary, and has line ends other than CRLF, which mail cannot "
            "carry. Encode it in base64."
        )
    if not _has_long_line(content):
        return content
    try:
        return reencoded(content, wrong=_has_long_line, label="8bit", rewritten=_refused)
    except MimeError as error:
        raise RawMessageError(
            f"A line of the message has more than {LONGEST_LINE} octets. {error}"
        ) from None


def _has_binary_part(content: bytes) -> bool:
    try:
        return any(part.encoding == "binary" for part in parts_of(content).walk())
    except MimeError as error:
        raise RawMessageError(str(error)) from None


def _has_long_line(octets: bytes) -> bool:
    return has_long_line(octets, 0, len(octets))


def _refused(one: Field) -> bytes:
    if not one.name:
        raise MimeError("It is in the header of a part, and is no field.")
    raise MimeError(f"It is in the header {one.name[:_SHOWN]} of a part, which has to be folded.")
