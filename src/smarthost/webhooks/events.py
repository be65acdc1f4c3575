"""From what became of a message's recipients to the events that tell of it.

The JSON is that of Resend's webhooks, with one field more: `recipients` are those that the event
is about, since a message may have gone to some and not to others. It is made once, in the moment
that it tells of, so that every try sends the same octets.
"""

from collections.abc import Sequence

import msgspec

from smarthost.clock import moment
from smarthost.mail_queue.accepted.model import Details
from smarthost.mail_queue.model import Ended, State
from smarthost.webhooks.model import EventType

_TYPES = {
    State.SENT: EventType.SENT,
    State.FAILED: EventType.FAILED,
    State.EXPIRED: EventType.FAILED,
    State.HELD: EventType.DELIVERY_DELAYED,
}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What an event says of its message."""

    message_id: str
    accepted_at: int
    """Microseconds since 1970, UTC."""
    sender: str
    """Of the envelope; shown where `details` name nobody."""
    details: Details


def by_type(ended: Sequence[Ended]) -> dict[EventType, list[Ended]]:
    """Return which events a change makes, at most one of each type, and whom each is about."""
    events: dict[EventType, list[Ended]] = {}
    for one in ended:
        kind = _type_of(one)
        if kind is not None:
            events.setdefault(kind, []).append(one)
    return events


def payload(kind: EventType, told: Told, about: Sequence[Ended], at: int) -> bytes:
    """Return an event as it is sent; `at` is when it happened."""
    details = told.details
    data: dict[str, object] = {
        "email_id": told.message_id,
        "created_at": moment(told.accepted_at),
        "from": details.from_ or told.sender,
        "to": details.to,
        "subject": details.subject,
        "recipients": [one.address for one in about],
    }
    if details.tags:
        data["tags"] = {tag.name: tag.value for tag in details.tags}
    if kind is EventType.FAILED:
        # Without an attempt that failed its time was over.
        data["failed"] = {"reason": about[0].code or State.EXPIRED}
    return msgspec.json.encode({"type": kind, "created_at": moment(at), "data": data})


def _type_of(one: Ended) -> EventType | None:
    if one.state is State.QUEUED:
        # Tries that fail later change nothing: it is still delayed.
        return EventType.DELIVERY_DELAYED if one.attempts == 1 else None
    return _TYPES.get(one.state)
