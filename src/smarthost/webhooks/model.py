"""The values of webhooks: where a portal's events go, what is told, and why it was not taken.

A portal has one webhook or none. An event is there until the receiver has taken it, for a day at
most.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from smarthost.secret import Secret


class EventType(StrEnum):
    """What an event tells, by the names that Resend's webhooks have for it."""

    SENT = "email.sent"
    """The relay has taken the message for these recipients."""
    DELIVERY_DELAYED = "email.delivery_delayed"
    """It could not be handed over at the first try, or waits for a person."""
    FAILED = "email.failed"
    """It was refused, or its time has run out; nothing more is tried."""


class NotTaken(StrEnum):
    """Why a receiver has not taken an event; the first ones are named as `http_client` does."""

    NOT_FOUND = "not_found"
    LOOKUP_FAILED = "lookup_failed"
    FORBIDDEN = "forbidden"
    UNREACHABLE = "unreachable"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    BROKEN_OFF = "broken_off"
    REFUSED = "refused"
    """It answered, and with no 2xx."""
    GONE = "gone"
    """It answered 410: it wants no more."""
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - a reason, not a secret


WORDS: Mapping[NotTaken, str] = {
    NotTaken.NOT_FOUND: "The host name in the URL does not exist. Check the URL.",
    NotTaken.LOOKUP_FAILED: "The host name in the URL could not be looked up. It is tried again.",
    NotTaken.FORBIDDEN: "The operator of this installation does not allow webhooks to this "
    "address or port; an http:// URL is for hosts of one's own network alone.",
    NotTaken.UNREACHABLE: "No connection could be made to the receiver. Check that it runs and "
    "can be reached from here.",
    NotTaken.TLS_FAILED: "The receiver's certificate is not valid for the host name in the URL, "
    "or TLS could not be set up.",
    NotTaken.TIMED_OUT: "The receiver did not answer within 10 seconds. Answer first, and work "
    "on the event afterwards.",
    NotTaken.BROKEN_OFF: "The receiver ended the connection without a complete answer.",
    NotTaken.REFUSED: "The receiver answered with status {status}. Only 2xx means that it has "
    "taken the event; redirects are not followed.",
    NotTaken.GONE: "The receiver answered with status 410, so the webhook was switched off. Set "
    "it again to switch it on.",
    NotTaken.SECRET_UNREADABLE: "The stored secret does not open: its key is missing. Ask for a "
    "new secret, or ask the operator to restore the key ring.",
}


class FailedTry(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that the receiver has not taken."""

    at: int
    """Microseconds since 1970, UTC, as all times."""
    failure: NotTaken
    status: int | None = None
    """The HTTP status, where there was an answer."""

    @property
    def text(self) -> str:
        """The reason in plain words."""
        return WORDS[self.failure].format(status=self.status)


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A portal's webhook, and how it is doing."""

    portal_id: str
    url: str
    set_at: int
    delivered_at: int | None
    """When the receiver last took an event."""
    last_failure: FailedTry | None
    dropped: int
    """How many events were given up since it was set."""
    switched_off_at: int | None
    waiting_since: int | None
    """When the oldest event was made that the receiver has not taken; None: it has all."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where events are delivered now."""

    portal_id: str
    url: str
    secret: Secret | None
    """None where the stored one does not open."""
    set_at: int
    """A delivery is noted on the webhook that it was made for, not on one that was set since."""
    failures: int
    """How many deliveries have failed one after the other."""
    resumed_at: int | None
    """When the portal's last suspension ended; None: there was none."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is to be delivered."""

    id: str
    """The same at every try: by it the receiver knows what it has already."""
    created_at: int
    attempts: int
    """How many deliveries have failed."""
    payload: bytes


class WebhooksError(Exception):
    """Base of what this room refuses; the message is plain words for whoever asked."""


class InvalidUrlError(WebhooksError, ValueError):
    """The URL cannot be a webhook's; the message says what to type instead."""


class NoAnswerError(WebhooksError):
    """A receiver has not answered at all."""

    def __init__(self, failure: NotTaken) -> None:
        super().__init__(failure.value)
        self.failure = failure
