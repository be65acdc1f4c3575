"""The values of the audit: who acts, and what was done.

An event names what changed, never a secret and never the value of one.
"""

import msgspec

OPERATOR = "operator"
"""The actor of everything that the command line does."""


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for a change, from where, in which request."""

    name: str
    """A user's e-mail address, or `operator`."""
    address: str | None = None
    request_id: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done."""

    portal_id: str
    action: str
    """What was done, as `settings.saved` or `key.created`."""
    subject: str
    """What it was done to: a revision's number, a key's id, a user's e-mail address."""
    details: dict[str, object] = {}
    """More about it, for people; no secrets."""
