"""What the mail log is asked for, and a page of it.

Whether a message is meant is decided here, from the message as it is shown: an index only makes
it quicker to find those that may be.
"""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from smarthost.mail_queue.accepted.model import Event, Message
from smarthost.mail_queue.mail_log.words import Words
from smarthost.mail_queue.model import Kind, State


class Standing(StrEnum):
    """Where a message stands as a whole: its event, or that somebody has to release it."""

    QUEUED = "queued"
    SCHEDULED = "scheduled"
    DELIVERY_DELAYED = "delivery_delayed"
    HELD = "held"
    """Of one recipient at least, whatever became of the others."""
    SENT = "sent"
    FAILED = "failed"
    CANCELED = "canceled"


_UNENDED = frozenset({State.QUEUED, State.SENDING})
_STATES_OF = {
    Standing.QUEUED: _UNENDED,
    Standing.SCHEDULED: _UNENDED,
    Standing.DELIVERY_DELAYED: _UNENDED | {State.HELD},
    Standing.HELD: frozenset({State.HELD}),
    Standing.SENT: frozenset({State.SENT}),
    Standing.FAILED: frozenset({State.FAILED, State.EXPIRED}),
    Standing.CANCELED: frozenset({State.CANCELLED}),
}
_EVERY_STATE = frozenset(State)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages are meant: those for which all of this holds."""

    kind: Kind = Kind.MAIL
    owner: str | None = None
    """The credential that it came with; None: any, or none."""
    standings: frozenset[Standing] = frozenset()
    """One of these; empty: any."""
    states: frozenset[State] = frozenset()
    """With a recipient in one of these states; empty: any."""
    recipient: str | None = None
    """To this address, the part before the @ in the case in which it was given."""
    accepted_from: int | None = None
    """Accepted at this moment or later; microseconds since 1970, UTC, as all times."""
    accepted_before: int | None = None
    words: Words = Words()

    @property
    def possible(self) -> frozenset[State]:
        """The states of which one recipient has to be in one."""
        if self.states or not self.standings:
            return self.states or _EVERY_STATE
        return frozenset().union(*(_STATES_OF[standing] for standing in self.standings))

    @property
    def is_unsent(self) -> bool:
        """Whether it is enough to look at recipients that the message was not sent to."""
        return State.SENT not in self.possible

    def fits(self, message: Message, *, now: int, on_hold: bool) -> bool:
        """Tell whether `message` is one; `on_hold`: the portal's mail waits as a whole."""
        return (
            message.kind is self.kind
            and self.owner in (None, message.owner)
            and self._is_of_that_time(message.accepted_at)
            and self._has_recipient(message)
            and self._stands(message, now=now, on_hold=on_hold)
            and self.words.are_in(message.details)
        )

    def _is_of_that_time(self, at: int) -> bool:
        return (self.accepted_from is None or at >= self.accepted_from) and (
            self.accepted_before is None or at < self.accepted_before
        )

    def _has_recipient(self, message: Message) -> bool:
        if self.recipient is None:
            return True
        return any(one.address == self.recipient for one in message.recipients)

    def _stands(self, message: Message, *, now: int, on_hold: bool) -> bool:
        states = {one.state for one in message.recipients}
        if self.states and not self.states & states:
            return False
        if not self.standings or (Standing.HELD in self.standings and State.HELD in states):
            return True
        return _STANDING_OF[message.event(now=now, on_hold=on_hold)] in self.standings


_STANDING_OF = {event: Standing(event.value) for event in Event}


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the log, newest first."""

    messages: Sequence[Message]
    next: str | None
    """The id to go on behind, in the direction of the page; None: there are no more.

    Where there was much to look through, the page is not full and this is how far it was looked:
    there may be more or not.
    """
