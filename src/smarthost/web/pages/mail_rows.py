"""What the mail log shows of a message, from how `listEmails` answers it. All functions are pure.

A message stands as the worst of its recipients does. How many of them stand so is said beside it,
and why the last attempt failed, in a few words: the message's own page says the rest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

HELD = "held"
KINDS = {
    "sent": "ok",
    "failed": "failed",
    "expired": "failed",
    "delivery_delayed": "warning",
    HELD: "warning",
}
"""How a state is coloured; those that are not here are muted."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the log."""

    id: str
    at: str
    """When it was accepted, ISO 8601."""
    from_: str
    to: str
    """One of its recipients, as the header names it."""
    others: int
    """How many recipients it has beside that one."""
    subject: str
    state: str
    """A word of the vocabulary of events, or `held`."""
    so_many: int
    """Recipients that stand so, of `others` + 1."""
    code: str | None
    """Why the last attempt failed for one of them."""


def row_of(email: Mapping[str, Any]) -> Row:
    """Return the row of an e-mail in the API's shape."""
    recipients = email["recipients"]
    state = state_of(email)
    those = [one for one in recipients if is_of(one, state)]
    named = (*email["to"], *email["cc"], *email["bcc"], *(one["address"] for one in recipients))
    return Row(
        id=email["id"],
        at=email["created_at"],
        from_=email["from"],
        to=named[0],
        others=len(recipients) - 1,
        subject=email["subject"],
        state=state,
        so_many=len(those),
        code=next((one["code"] for one in those if one["code"] and state in KINDS), None),
    )


def state_of(email: Mapping[str, Any]) -> str:
    """Return how a message stands: its event, or that somebody has to release it."""
    event: str = email["last_event"]
    held = any(one["state"] == HELD for one in email["recipients"])
    return HELD if held and event == "delivery_delayed" else event


def is_of(recipient: Mapping[str, Any], state: str) -> bool:
    """Tell whether a recipient stands as its message does."""
    if state == HELD:
        return bool(recipient["state"] == HELD)
    return bool(recipient["last_event"] == state)


def rows_of(emails: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of a page."""
    return [row_of(email) for email in emails]
