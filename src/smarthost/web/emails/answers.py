"""What /emails answers, field by field, in the words of Resend's API.

`recipients`, `expires_at`, `at_most_once` and the attempts are beyond that API; its clients pass
over what they do not know.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from smarthost.clock import MICROSECONDS, moment
from smarthost.delivery.outcome import Code, Result
from smarthost.mail_queue.accepted.model import Event, Message, RecipientStatus
from smarthost.mail_queue.mail_log.model import Page
from smarthost.mail_queue.model import HeldFor, State
from smarthost.sending.attempts import ShownAttempt
from smarthost.web.failure_dto import FailureDto, failure_dto

Time = Annotated[datetime, Meta(tz=True)]


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """An e-mail that was accepted."""

    id: str


class PartError(msgspec.Struct, frozen=True, kw_only=True):
    """Why one e-mail of a batch was not accepted."""

    index: Annotated[int, Meta(ge=0, description="Its place in the batch, from 0.")]
    message: str


class SentBatch(msgspec.Struct, frozen=True, kw_only=True):
    """E-mails that were accepted, in the order of the batch."""

    data: list[Sent]
    errors: Annotated[
        list[PartError] | UnsetType,
        Meta(description="Those that were not; only there in permissive mode."),
    ] = UNSET


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """An e-mail with which something was done."""

    object: Literal["email"] = "email"
    id: str


class TagAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A tag."""

    name: str
    value: str


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Where one recipient stands."""

    address: str
    state: State
    last_event: Event
    attempts: Annotated[int, Meta(ge=0, description="How many were begun.")]
    next_attempt_at: Annotated[Time | None, Meta(description="Null: there is none to come.")]
    ended_at: Time | None
    held_for: Annotated[HeldFor | None, Meta(description="Why somebody has to release it.")]
    in_doubt: Annotated[bool, Meta(description="It may have arrived though nobody could tell.")]
    code: Annotated[Code | None, Meta(description="Why the last attempt failed.")]


class ListedEmail(msgspec.Struct, frozen=True, kw_only=True):
    """An e-mail without its text."""

    id: str
    message_id: Annotated[str, Meta(description="The header of that name.")]
    from_: str = msgspec.field(name="from")
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    reply_to: tuple[str, ...]
    subject: str
    created_at: Time
    scheduled_at: Time | None
    expires_at: Time | None
    at_most_once: bool
    size: Annotated[int, Meta(ge=0, description="Of the finished message, in octets.")]
    has_body: Annotated[
        bool, Meta(description="False once its content was dropped: it can be sent no more.")
    ]
    last_event: Annotated[Event, Meta(description="Of several recipients, the worst.")]
    tags: list[TagAnswer]
    recipients: list[Recipient]


class Email(ListedEmail, frozen=True, kw_only=True):
    """An e-mail; text and html are null where it has none, or its content was dropped."""

    object: Literal["email"] = "email"
    text: str | None
    html: str | None


class EmailList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of e-mails, newest first."""

    object: Literal["list"] = "list"
    has_more: Annotated[
        bool,
        Meta(description="Whether there are more in this direction, or may be: see `next`."),
    ]
    next: Annotated[
        str | None,
        Meta(
            description="The id to go on with, in `after`, or in `before` where that was asked "
            "for; null: there are no more. Not all mail is looked through at once: a page that "
            "is not full, even an empty one, tells by this how far it came, and then it need be "
            "no id of the list. It begins with a time, as every UUIDv7."
        ),
    ]
    data: list[ListedEmail]


class Outcome(StrEnum):
    """What an attempt came to."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to hand an e-mail to the relay for one recipient."""

    attempt: Annotated[int, Meta(ge=1)]
    at: Time
    recipient: str
    outcome: Outcome
    relay: Annotated[str | UnsetType, Meta(description="`host:port`.")] = UNSET
    address: Annotated[str | UnsetType, Meta(description="The relay's IP address.")] = UNSET
    tls: Annotated[str | UnsetType, Meta(description="The version; absent: no TLS.")] = UNSET
    revision: Annotated[int | UnsetType, Meta(description="Of the settings.")] = UNSET
    milliseconds: float | UnsetType = UNSET
    reply: Annotated[str | UnsetType, Meta(description="What the relay said.")] = UNSET
    failure: FailureDto | UnsetType = UNSET


class AttemptList(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of an e-mail, oldest first."""

    object: Literal["list"] = "list"
    has_more: Annotated[
        bool, Meta(description="Whether there are older ones; only where `limit` is given.")
    ] = False
    data: list[Attempt]


def listed_email(message: Message, *, now: int, on_hold: bool) -> ListedEmail:
    """Return how a message is listed at `now`, microseconds since 1970."""
    details = message.details
    return ListedEmail(
        id=message.id,
        message_id=details.message_id,
        from_=details.from_,
        to=details.to,
        cc=details.cc,
        bcc=details.bcc,
        reply_to=details.reply_to,
        subject=details.subject,
        created_at=moment(message.accepted_at),
        scheduled_at=_time(_scheduled_at(message)),
        expires_at=_time(message.expires_at),
        at_most_once=message.at_most_once,
        size=message.size,
        has_body=message.has_body,
        last_event=message.event(now=now, on_hold=on_hold),
        tags=[TagAnswer(name=tag.name, value=tag.value) for tag in details.tags],
        recipients=[_recipient(one, now=now, on_hold=on_hold) for one in message.recipients],
    )


def email_list(page: Page, *, now: int, on_hold: bool) -> EmailList:
    """Return how a page of the mail log is shown."""
    return EmailList(
        has_more=page.next is not None,
        next=page.next,
        data=[listed_email(message, now=now, on_hold=on_hold) for message in page.messages],
    )


def shown_email(listed: ListedEmail, text: str | None, html: str | None) -> Email:
    """Return how a message is shown by itself."""
    return Email(text=text, html=html, **msgspec.structs.asdict(listed))


def _scheduled_at(message: Message) -> int | None:
    moments = [one.scheduled_at for one in message.recipients if one.scheduled_at is not None]
    return max(moments, default=None)


def _recipient(status: RecipientStatus, *, now: int, on_hold: bool) -> Recipient:
    return Recipient(
        address=status.address,
        state=status.state,
        last_event=status.event(now=now, on_hold=on_hold),
        attempts=status.attempts,
        next_attempt_at=_time(status.due_at),
        ended_at=_time(status.ended_at),
        held_for=status.held_for,
        in_doubt=status.in_doubt,
        code=status.code,
    )


def shown_attempt(shown: ShownAttempt) -> Attempt:
    """Return how an attempt is shown."""
    attempted = shown.attempted
    took = attempted.microseconds
    return Attempt(
        attempt=attempted.attempt,
        at=moment(attempted.started_at),
        recipient=attempted.address,
        outcome=Outcome.IN_DOUBT if attempted.in_doubt else _OUTCOMES[attempted.result],
        relay=_or_unset(shown.relay),
        address=UNSET if shown.hidden else _or_unset(attempted.relay_address),
        tls=_or_unset(attempted.tls),
        revision=UNSET if attempted.revision is None else attempted.revision,
        milliseconds=UNSET if took is None else took * 1000 / MICROSECONDS,
        reply=UNSET if shown.hidden else _or_unset(attempted.reply),
        failure=UNSET if shown.failure is None else failure_dto(shown.failure),
    )


_OUTCOMES = {
    Result.ACCEPTED: Outcome.ACCEPTED,
    Result.DEFERRED: Outcome.DEFERRED,
    Result.REFUSED: Outcome.REFUSED,
}


def _time(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else moment(microseconds)


def _or_unset(text: str | None) -> str | UnsetType:
    return text or UNSET
