"""A delivery status notification: what became of a message's recipients, as finished octets.

It is the multipart/report of RFC 6522 with the fields of RFC 3464: words for people, fields for
programs, and what is returned of the message. All but the addresses in its header is ASCII in
short lines, whatever the message, its recipients and the relay's replies were, so that any relay
can carry it and nobody's text can become a field of its own.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from smarthost.mail.compose import (
    VERSION,
    ComposeError,
    date_value,
    message_id_value,
    text_part,
)
from smarthost.mail.dsn import in_ascii
from smarthost.mail.headers import (
    Header,
    MailboxHeader,
    PlainHeader,
    TextHeader,
    header_block,
)
from smarthost.mail.mailbox import Mailbox
from smarthost.mail.part import Part, boundaries, multipart
from smarthost.mail.returned import returned

_NOT_IN_A_FIELD = re.compile(r"[^ -~]")
# A field that is longer is left out: no reply and no address of this program is.
_LONGEST_VALUE = 900


class Action(StrEnum):
    """What became of a recipient (RFC 3464, section 2.3.3)."""

    FAILED = "failed"
    """It was given up."""
    RELAYED = "relayed"
    """A mail server has it that tells nobody of success."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedRecipient:
    """One recipient that a notice tells of (RFC 3464, section 2.3)."""

    address: str
    """The forward-path."""
    original_recipient: str | None
    """ORCPT, `rfc822;anna@example.org`, if it was given."""
    action: Action
    status: str
    """The code of RFC 3463, such as `5.1.1`."""
    remote_mta: str | None
    """The relay's name or IP address."""
    reply: str | None
    """The relay's, as it was shown."""
    last_attempt_at: datetime | None
    """None: there was no attempt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a notice says; its `repr` leaves the texts and the message out."""

    from_: Mailbox
    to: Mailbox
    subject: str
    text: str = field(repr=False)
    """For people."""
    message_id: str
    """The notice's own, with its angle brackets: not known to anybody before it is made."""
    date: datetime
    reporting_mta: str
    """Our own name, or address literal."""
    original_message_id: str
    """Of the message that it is about; what is none is left out."""
    envelope_id: str | None
    arrival_date: datetime
    recipients: Sequence[ReportedRecipient]
    original: bytes | None = field(repr=False)
    """The message, or its beginning with the header; None: it is gone."""
    whole: bool
    """`original` is all of the message, and is returned so."""


def delivery_report(facts: Report) -> bytes:
    """Give the finished notice: lines end in CRLF, and no dot is stuffed yet.

    Raises `HeaderError` on a subject that cannot stand in a header, and `ComposeError` on a
    message_id that is none.
    """
    message_id = message_id_value(facts.message_id)
    parts = [text_part("plain", facts.text), _status(facts)]
    if facts.original is not None:
        part = returned(facts.original, whole=facts.whole)
        parts += [] if part is None else [part]
    body = multipart(
        "report", parts, next(boundaries(message_id)), **{"report-type": "delivery-status"}
    )
    top: list[Header] = [
        PlainHeader(name="Date", value=date_value(facts.date)),
        MailboxHeader(name="From", mailboxes=(facts.from_,)),
        MailboxHeader(name="To", mailboxes=(facts.to,)),
        PlainHeader(name="Message-ID", value=message_id),
        *_answered(facts.original_message_id),
        TextHeader(name="Subject", text=facts.subject),
        # RFC 3834, section 5: nobody's holiday notice answers it.
        PlainHeader(name="Auto-Submitted", value="auto-replied"),
        VERSION,
    ]
    return Part((*top, *body.headers), body.body).content()


def _answered(message_id: str) -> Iterator[Header]:
    try:
        value = message_id_value(message_id)
    except ComposeError:
        return
    for name in ("In-Reply-To", "References"):
        yield PlainHeader(name=name, value=value)


def _status(facts: Report) -> Part:
    groups = [_of_message(facts), *map(_of_recipient, facts.recipients)]
    body = b"\r\n".join(header_block(list(group)) for group in groups)
    return Part((PlainHeader(name="Content-Type", value="message/delivery-status"),), body)


def _of_message(facts: Report) -> Iterator[PlainHeader]:
    if facts.envelope_id is not None:
        yield from _field("Original-Envelope-Id", facts.envelope_id)
    yield from _field("Reporting-MTA", f"dns; {facts.reporting_mta}")
    yield from _field("Arrival-Date", date_value(facts.arrival_date))


def _of_recipient(told: ReportedRecipient) -> Iterator[PlainHeader]:
    if told.original_recipient is not None:
        kind, _, address = told.original_recipient.partition(";")
        yield from _field("Original-Recipient", f"{kind}; {in_ascii(address)}")
    kind = "rfc822" if told.address.isascii() else "utf-8"
    yield from _field("Final-Recipient", f"{kind}; {in_ascii(told.address)}")
    yield from _field("Action", told.action)
    yield from _field("Status", told.status)
    if told.remote_mta is not None:
        yield from _field("Remote-MTA", f"dns; {told.remote_mta}")
    if told.reply is not None:
        yield from _field("Diagnostic-Code", f"smtp; {told.reply}")
    if told.last_attempt_at is not None:
        yield from _field("Last-Attempt-Date", date_value(told.last_attempt_at))


def _field(name: str, value: str) -> Iterator[PlainHeader]:
    cleaned = _NOT_IN_A_FIELD.sub("?", value).strip(" ")
    if len(cleaned) <= _LONGEST_VALUE:
        yield PlainHeader(name=name, value=cleaned)
