"""The values of what was accepted: what is handed in, and what people see of it afterwards.

A message is one value with all its recipients; what has become of the whole of it is not stored
but worked out from them, so that the two can never disagree.
"""

from enum import StrEnum

import msgspec

from smarthost.delivery.outcome import Code
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.model import HeldFor, Kind, State

MOST_RECIPIENTS = 1_000
"""How many recipients one message may have."""

LARGEST_MESSAGE = 40 * 1024 * 1024
"""How many octets one message may have, header and attachments included."""


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """A word of the application's own about a message; it is never sent."""

    name: str
    value: str


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What lists show of a message without its content; stored as JSON, empty parts left out.

    Addresses are mailboxes as a reader sees them, display names included.
    """

    message_id: str = ""
    """The header's, in angle brackets."""
    from_: str = msgspec.field(default="", name="from")
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    subject: str = ""
    tags: tuple[Tag, ...] = ()


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A finished message, as it is handed in."""

    id: str
    """A UUIDv7 of `Ids`: whoever makes the message chooses it, since its Message-ID holds it."""
    envelope: Envelope
    details: Details
    scheduled_at: int | None = None
    """Not to be tried before this moment; None: at once. Microseconds since 1970, UTC, as all
    times."""
    expires_at: int | None = None
    """Of no use to anybody after this moment; None: tried as long as the queue keeps trying."""
    at_most_once: bool = False
    """Rather not at all than twice: held where nobody knows whether the relay has it."""


class Idempotency(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a request that comes again recognisable, and the answer that it gets then."""

    key: str
    digest: bytes
    """SHA-256 of all that the request asks for."""
    answer: bytes


class Event(StrEnum):
    """What has become of a message, in the words of the sending API."""

    SENT = "sent"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    CANCELED = "canceled"
    DELIVERY_DELAYED = "delivery_delayed"
    FAILED = "failed"


_FROM_BEST_TO_WORST = tuple(Event)
_ENDED = {
    State.SENT: Event.SENT,
    State.FAILED: Event.FAILED,
    State.EXPIRED: Event.FAILED,
    State.CANCELLED: Event.CANCELED,
}


class RecipientStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where one recipient of a message stands."""

    address: str
    state: State
    attempts: int
    """How many were begun."""
    due_at: int | None
    """When it is tried next; None unless it is queued."""
    scheduled_at: int | None
    held_for: HeldFor | None
    """None unless it is held."""
    in_doubt: bool
    """It may have arrived although nobody could tell."""
    ended_at: int | None
    """When it reached the state that it stays in."""
    code: Code | None
    """Why the last attempt that has ended failed; None: it did not, or there was none."""

    def event(self, *, now: int, on_hold: bool) -> Event:
        """Return what has become of it; `on_hold`: the portal's relay takes no mail just now."""
        if self.state in _ENDED:
            return _ENDED[self.state]
        if self.state is State.HELD or self.code is not None:
            return Event.DELIVERY_DELAYED
        if self.scheduled_at is not None and self.scheduled_at > now:
            return Event.SCHEDULED
        return Event.DELIVERY_DELAYED if on_hold else Event.QUEUED


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted message with all its recipients."""

    portal_id: str
    id: str
    kind: Kind
    accepted_at: int
    accepted_by: str
    """A user's e-mail address, or `operator`."""
    owner: str | None
    """The credential that it came with, `key:<id>` or `user:<id>`; None: the operator's."""
    sender: str
    """The envelope's."""
    size: int
    """Octets."""
    details: Details
    at_most_once: bool
    expires_at: int | None
    has_body: bool
    """False once the content was dropped: it can be shown and sent no more."""
    recipients: tuple[RecipientStatus, ...]
    """By address."""

    def is_held_for(self, reason: HeldFor) -> bool:
        """Tell whether a recipient waits for a person for this reason."""
        return any(one.held_for is reason for one in self.recipients)

    def event(self, *, now: int, on_hold: bool) -> Event:
        """Return what has become of the message: of several recipients the worst counts."""
        events = [one.event(now=now, on_hold=on_hold) for one in self.recipients]
        return max(events, key=_FROM_BEST_TO_WORST.index)


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How a portal's mail stands; the unit is one recipient of one message."""

    queued: int
    """On its way: waiting for its turn, for another try or for its relay, or being sent."""
    scheduled: int
    """Waiting for the moment that its sender chose."""
    held: int
    """Waiting for a person."""
    oldest_queued_at: int | None
    """When the oldest queued message was accepted."""
    last_sent_at: int | None
    """When the relay last took one."""


class NotAcceptableError(ValueError):
    """The queue takes no such message; nothing was accepted."""


class IdempotencyMismatchError(Exception):
    """The key was used for another request before; nothing was accepted."""

    def __init__(self) -> None:
        super().__init__(
            "This idempotency key was used with another request before. Use a new key for a new "
            "request."
        )


class NoSuchMessageError(Exception):
    """The portal has no such message, or the caller may not see it."""

    def __init__(self) -> None:
        super().__init__("There is no such message.")


class NotPossibleError(Exception):
    """The message is in no state for this; the text says in which, and what can be done."""
