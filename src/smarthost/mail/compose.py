"""A message from its parts: a draft in, the finished octets of RFC 5322 out.

Bodies become 7-bit with short lines whatever was typed, so that any relay can carry the message
unchanged. Nothing here is left to chance or to the clock: the same parts give the same octets.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from smarthost.mail.attached import attached
from smarthost.mail.body import encoded_text
from smarthost.mail.draft import Attachment, Draft
from smarthost.mail.header_reader import HeaderError
from smarthost.mail.headers import (
    Header,
    MailboxHeader,
    PlainHeader,
    TextHeader,
)
from smarthost.mail.mailbox import Mailbox
from smarthost.mail.part import Part, boundaries, multipart
from smarthost.mail.plain_text import plain_text

# What `compose` writes itself, whom else a message could claim to be from or to go to, and what
# is a relay's to write. MIME's own (Content-…) and RFC 5322's Resent-… are refused by prefix.
_NOT_EXTRA = frozenset(
    {
        "bcc", "cc", "date", "from", "message-id", "mime-version", "received", "reply-to",
        "return-path", "sender", "subject", "to",
    }
)  # fmt: skip
_NOT_EXTRA_PREFIXES = ("content-", "resent-")
# Their values have a syntax of their own, in which an encoded word is no text but a fault.
_STRUCTURED = frozenset(
    {"archived-at", "auto-submitted", "feedback-id", "in-reply-to", "references"}
)
_STRUCTURED_PREFIX = "list-"
# RFC 5322, section 3.6.4: dot-atoms or a literal on the right, nothing quoted.
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MESSAGE_ID = re.compile(rf"<{_ATEXT}(?:\.{_ATEXT})*@(?:{_ATEXT}(?:\.{_ATEXT})*|\[[!-Z^-~]*\])>")
# So that the header fits on one line with its name and both brackets.
_LONGEST_MESSAGE_ID = 900
VERSION = PlainHeader(name="MIME-Version", value="1.0")


class ComposeError(ValueError):
    """The parts make no message; the message says which part is wrong."""


def compose(draft: Draft) -> bytes:
    """Give a finished message: lines end in CRLF, and no dot is stuffed yet.

    The texts become a multipart/alternative, plain text first (RFC 2046, section 5.1.4), beside
    them the attachments that the HTML shows (multipart/related, RFC 2387), then the others
    (multipart/mixed); what is not needed is left out. The octets are ASCII, unless an address
    has a local part that is not. A text's last line gets its line end if it has none.

    Raises `HeaderError` on a text that cannot stand in a header, `ComposeError` on anything else.
    """
    message_id = message_id_value(draft.message_id)
    body = _body(draft, boundaries(message_id))
    top: list[Header] = [
        PlainHeader(name="Date", value=date_value(draft.date)),
        MailboxHeader(name="From", mailboxes=(draft.from_,)),
        *_mailboxes("Reply-To", draft.reply_to),
        *_mailboxes("To", draft.to),
        *_mailboxes("Cc", draft.cc),
        PlainHeader(name="Message-ID", value=message_id),
        TextHeader(name="Subject", text=draft.subject),
        *_extra_headers(draft.headers),
        VERSION,
    ]
    return Part((*top, *body.headers), body.body).content()


def date_value(date: datetime) -> str:
    """Give the value of Date, in UTC. Raises `ComposeError` if `date` knows no time zone."""
    if date.tzinfo is None:
        raise ComposeError("The date has no time zone.")
    return _written(date.astimezone(UTC).replace(microsecond=0))


# Every message of one second has the same, in its Date and in its trace.
@lru_cache(maxsize=16)
def _written(second: datetime) -> str:
    return format_datetime(second)


def message_id_value(message_id: str) -> str:
    """Return a Message-ID that has its angle brackets. Raises `ComposeError` if it is none."""
    if len(message_id) > _LONGEST_MESSAGE_ID or not _MESSAGE_ID.fullmatch(message_id):
        raise ComposeError("The Message-ID is not of the form <name@domain>.")
    return message_id


def _mailboxes(name: str, mailboxes: tuple[Mailbox, ...]) -> Sequence[Header]:
    return (MailboxHeader(name=name, mailboxes=mailboxes),) if mailboxes else ()


def _extra_headers(extra: Mapping[str, str]) -> Iterator[Header]:
    seen: set[str] = set()
    for name, text in extra.items():
        lower = name.lower()
        if lower in _NOT_EXTRA or lower.startswith(_NOT_EXTRA_PREFIXES):
            raise HeaderError(f"The header {lower} cannot be set here.")
        if lower in seen:
            raise HeaderError(f"The header {lower} is given twice.")
        seen.add(lower)
        if lower in _STRUCTURED or lower.startswith(_STRUCTURED_PREFIX):
            yield PlainHeader(name=name, value=text.strip(" "))
        else:
            yield TextHeader(name=name, text=text)


def _body(draft: Draft, unused: Iterator[str]) -> Part:
    shown, beside = _parted(draft)
    part = _texts(draft, unused)
    if shown:
        parts = [part, *map(attached, shown)]
        part = multipart("related", parts, next(unused), type=part.media_type())
    if beside:
        part = multipart("mixed", [part, *map(attached, beside)], next(unused))
    return part


def _parted(draft: Draft) -> tuple[list[Attachment], list[Attachment]]:
    """Part the attachments into those that the HTML shows and those beside the texts."""
    shown: list[Attachment] = []
    beside: list[Attachment] = []
    for one in draft.attachments:
        (shown if one.content_id and draft.html else beside).append(one)
    return shown, beside


def _texts(draft: Draft, unused: Iterator[str]) -> Part:
    if not draft.html:
        return text_part("plain", draft.text or "")
    html = text_part("html", draft.html)
    text = plain_text(draft.html) if draft.text is None else draft.text
    if not text:
        return html
    return multipart("alternative", [text_part("plain", text), html], next(unused))


def text_part(subtype: str, text: str) -> Part:
    """Give a part of text/`subtype` in seven bits. Raises `ComposeError` on a lone surrogate."""
    try:
        encoding, body = encoded_text(text)
    except UnicodeEncodeError:
        raise ComposeError("The text has half a character in it (a lone surrogate).") from None
    return Part(_text_headers(subtype, encoding), body)


@lru_cache(maxsize=8)
def _text_headers(subtype: str, encoding: str) -> tuple[Header, ...]:
    return (
        PlainHeader(name="Content-Type", value=f"text/{subtype}; charset=utf-8"),
        PlainHeader(name="Content-Transfer-Encoding", value=encoding),
    )
