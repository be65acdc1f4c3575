"""The rules for an e-mail that was asked for: pure, and all faults together.

The way of an e-mail that is right costs little; only when something is wrong are the parts tried
one by one, so that each fault finds its field.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from smarthost.mail.address import Address, AddressError
from smarthost.mail.characters import DIRECTIONAL, named
from smarthost.mail.compose import ComposeError, compose
from smarthost.mail.draft import Attachment, Draft
from smarthost.mail.header_reader import HeaderError
from smarthost.mail.mailbox import Mailbox, parse_mailbox
from smarthost.sending.model import AttachmentInput, EmailInput, Fault, FaultKind
from smarthost.sending.moments import MomentError, parse_expiry, parse_schedule
from smarthost.sending.sender import PortalSender

MOST_ADDRESSES = 50
"""In each of to, cc, bcc and reply_to."""
MOST_TAGS = 50
MOST_FILES = 500
MOST_HEADERS = 100
LONGEST_SUBJECT = 998
"""Characters, as of the others: what RFC 5322 lets one line have."""
LONGEST_FILENAME = 255
"""What file systems take."""
LONGEST_HEADERS = 65_536
"""Of all names and texts together; encoding them is slow, and relays take no more."""

_LONGEST_SHOWN = 60
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_TAG_RULE = "takes 1 to 256 ASCII letters, digits, underscores and hyphens."
_NEEDED = "This is needed."

Faults = list[Fault]


class Addressed(msgspec.Struct, frozen=True, kw_only=True):
    """The mailboxes of an e-mail."""

    from_: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]

    def recipients(self) -> list[Address]:
        """Return the address of each recipient, once."""
        everybody = (*self.to, *self.cc, *self.bcc)
        if len(everybody) == 1:
            return [everybody[0].address]
        return list(dict.fromkeys(mailbox.address for mailbox in everybody))


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """When an e-mail is to be sent, and when it is of no use any more; None: at once, never."""

    scheduled_at: int | None
    expires_at: int | None


def addressed(email: EmailInput, sender: PortalSender, faults: Faults) -> Addressed:
    """Read the addresses; what is wrong with them goes into `faults`."""
    return Addressed(
        from_=_from(email.from_, sender, faults),
        to=_mailboxes("to", email.to, faults),
        cc=_mailboxes("cc", email.cc, faults),
        bcc=_mailboxes("bcc", email.bcc, faults),
        reply_to=_mailboxes("reply_to", email.reply_to, faults),
    )


def check_parts(email: EmailInput, faults: Faults) -> None:
    """Look for what an e-mail has to have, and at its tags."""
    if not email.to:
        faults.append(_missing("to", "Name at least one recipient."))
    if email.subject is None:
        faults.append(_missing("subject", _NEEDED))
    elif len(email.subject) > LONGEST_SUBJECT:
        faults.append(_fault("subject", f"It is too long: at most {LONGEST_SUBJECT} characters."))
    if email.text is None and email.html is None and not email.attachments:
        faults.append(_missing("text", "Give text or html."))
    _check_headers(email.headers, faults)
    _check_attachments(email.attachments, faults)
    if email.tags:
        check_tags(email, faults)


def _check_headers(headers: Mapping[str, str], faults: Faults) -> None:
    if len(headers) > MOST_HEADERS:
        faults.append(_fault("headers", f"These are too many: at most {MOST_HEADERS}."))
    elif _are_too_long(headers):
        told = f"These are too long: at most {LONGEST_HEADERS} characters together."
        faults.append(_fault("headers", told))


def _check_attachments(attachments: Sequence[AttachmentInput], faults: Faults) -> None:
    if len(attachments) > MOST_FILES:
        faults.append(_fault("attachments", f"These are too many: at most {MOST_FILES}."))
    for at, attachment in enumerate(attachments[:MOST_FILES]):
        if not attachment.filename:
            faults.append(_missing(f"attachments[{at}].filename", _NEEDED))
        elif len(attachment.filename) > LONGEST_FILENAME:
            told = f"It is too long: at most {LONGEST_FILENAME} characters."
            faults.append(_fault(f"attachments[{at}].filename", told))
        elif turning := DIRECTIONAL.intersection(attachment.filename):
            told = f"It has the character {named(min(turning))} in it, which hides how it ends."
            faults.append(_fault(f"attachments[{at}].filename", told))
        if attachment.content is None:
            faults.append(_missing(f"attachments[{at}].content", _NEEDED))


def check_tags(email: EmailInput, faults: Faults) -> None:
    """Look at the tags."""
    if len(email.tags) > MOST_TAGS:
        faults.append(_fault("tags", f"These are too many: at most {MOST_TAGS}."))
        return
    for at, tag in enumerate(email.tags):
        if tag.name is None:
            faults.append(_missing(f"tags[{at}].name", _NEEDED))
        elif not _TAG.fullmatch(tag.name):
            faults.append(_fault(f"tags[{at}].name", f"A tag's name {_TAG_RULE}"))
        if tag.value and not _TAG.fullmatch(tag.value):
            faults.append(_fault(f"tags[{at}].value", f"A tag's value {_TAG_RULE}"))


def times_of(email: EmailInput, now: int, faults: Faults) -> Times:
    """Read the moments as seen from `now`, microseconds since 1970."""
    scheduled_at = expires_at = None
    try:
        if email.scheduled_at is not None:
            scheduled_at = parse_schedule(email.scheduled_at, now)
    except MomentError as error:
        faults.append(_fault("scheduled_at", str(error)))
    try:
        if email.expires_at is not None:
            expires_at = parse_expiry(email.expires_at, now, scheduled_at)
    except MomentError as error:
        faults.append(_fault("expires_at", str(error)))
    return Times(scheduled_at=scheduled_at, expires_at=expires_at)


def draft_of(email: EmailInput, to: Addressed, message_id: str, date: datetime) -> Draft:
    """Return what is composed; what `check_parts` has found to be too long is cut."""
    return Draft(
        from_=to.from_,
        to=to.to,
        cc=to.cc,
        reply_to=to.reply_to,
        subject=(email.subject or "")[:LONGEST_SUBJECT],
        text=email.text,
        html=email.html,
        headers={} if _are_too_long(email.headers) else email.headers,
        attachments=tuple(map(_attachment, email.attachments)) if email.attachments else (),
        message_id=message_id,
        date=date,
    )


def blame(draft: Draft) -> Iterator[Fault]:
    """Say which parts make a draft that cannot be composed: each is tried by itself."""
    bare = Draft(
        from_=draft.from_,
        to=(draft.from_,),
        subject="",
        text="",
        message_id=draft.message_id,
        date=draft.date,
    )
    parts: list[tuple[str, dict[str, Any]]] = [
        *((field, {field: getattr(draft, field)}) for field in ("subject", "text", "html")),
        *(
            (f"headers.{name[:_LONGEST_SHOWN]}", {"headers": {name: text}})
            for name, text in islice(draft.headers.items(), MOST_HEADERS)
        ),
        *(
            # Any content is a good one.
            (f"attachments[{at}]", {"attachments": (replace(attachment, content=b""),)})
            for at, attachment in enumerate(draft.attachments[:MOST_FILES])
        ),
    ]
    for field, part in parts:
        try:
            compose(replace(bare, **part))
        except (HeaderError, ComposeError) as error:
            yield _fault(field, str(error))


def _from(text: str | None, sender: PortalSender, faults: Faults) -> Mailbox:
    if text is None or text == sender.written:
        return sender.mailbox
    try:
        mailbox = parse_mailbox(text)
    except AddressError as error:
        faults.append(_fault("from", str(error)))
        return sender.mailbox
    if not sender.allows(mailbox.address):
        faults.append(not_allowed("from", mailbox.address, sender))
    return mailbox


def not_allowed(field: str, address: Address, sender: PortalSender) -> Fault:
    """Return the fault of an address that the portal's mail may not be from."""
    return Fault(
        field=field,
        message=f"This portal may not send as {address}. Use {sender.allowed}; the operator "
        "can allow all addresses of the sender's domain.",
        kind=FaultKind.NOT_ALLOWED,
    )


def _mailboxes(field: str, texts: tuple[str, ...], faults: Faults) -> tuple[Mailbox, ...]:
    if not texts:
        return ()
    try:
        if len(texts) <= MOST_ADDRESSES:
            return tuple(map(parse_mailbox, texts))
    except AddressError:
        faults.extend(_wrong(field, texts))
    else:
        told = f"These are {len(texts)} addresses; at most {MOST_ADDRESSES} go here."
        faults.append(_fault(field, told))
    return ()


def _wrong(field: str, texts: Iterable[str]) -> Iterator[Fault]:
    for at, text in enumerate(texts):
        try:
            parse_mailbox(text)
        except AddressError as error:
            yield _fault(f"{field}[{at}]", str(error))


def _are_too_long(headers: Mapping[str, str]) -> bool:
    return sum(map(len, (*headers, *headers.values()))) > LONGEST_HEADERS


def _attachment(given: AttachmentInput) -> Attachment:
    return Attachment(
        filename=(given.filename or "")[:LONGEST_FILENAME],
        content=given.content or b"",
        content_type=given.content_type,
        content_id=given.content_id,
    )


def _missing(field: str, message: str) -> Fault:
    return Fault(field=field, message=message, kind=FaultKind.MISSING)


def _fault(field: str, message: str) -> Fault:
    return Fault(field=field, message=message)
