"""What the page of one message shows, from how the API answers it. All functions are pure.

A message may have a thousand recipients, and each may have been tried a hundred times. So the
page shows those first that need somebody, a bounded number of them, and attempts together that
differ in nothing but the recipient.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from smarthost.web.pages.mail_rows import HELD, KINDS

FEW = 100
"""Recipients and attempts that are shown at first."""
MOST = 1_000
"""Likewise if all are asked for; no message has more recipients."""
LONGEST_TEXT = 65_536
"""Characters of a text."""
LONGEST_SOURCE = 16_384
"""Characters of HTML, which is shown as its source."""
_NAMED = 3
_OF_ONE = frozenset({"recipient", "milliseconds"})
"""What differs between the recipients of one attempt though it went alike."""

_ENDED = frozenset({"sent", "failed", "expired", "cancelled"})
_FIRST = ("failed", "expired", HELD, "delivery_delayed", "sending", "queued", "scheduled")
"""Who needs somebody comes first; all others behind."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A recipient, and how it stands."""

    recipient: Mapping[str, Any]
    state: str
    """A word of the vocabulary of states."""
    kind: str
    """How that is coloured."""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt, for one recipient or several that it went alike for."""

    attempt: Mapping[str, Any]
    recipients: Sequence[str]
    """Some of them."""
    others: int
    """How many more there are."""


class Possible(msgspec.Struct, frozen=True, kw_only=True):
    """What can be done to a message as it stands."""

    retry: bool
    cancel: bool
    release: bool
    forget: bool

    @property
    def anything(self) -> bool:
        """Whether there is a button to show beside that to forget."""
        return self.retry or self.cancel or self.release


def is_ended(email: Mapping[str, Any]) -> bool:
    """Tell whether nothing changes any more unless somebody does something."""
    return all(one["state"] in _ENDED for one in email["recipients"])


def possible(email: Mapping[str, Any]) -> Possible:
    """Return what makes sense now; the API alone decides it when it is asked for."""
    recipients, sendable = email["recipients"], email["has_body"]
    states = {one["state"] for one in recipients}
    waits = any(one["state"] == "queued" and one["attempts"] for one in recipients)
    return Possible(
        retry=sendable and (waits or bool(states & {"failed", "expired"})),
        cancel=bool(states & {"queued", HELD}),
        release=sendable and HELD in states,
        forget=sendable and states <= _ENDED,
    )


def standings(email: Mapping[str, Any]) -> list[Standing]:
    """Return the recipients, those first that need somebody."""
    found = [_standing(one) for one in email["recipients"]]
    return sorted(found, key=lambda one: _place(one.state))


def counted_states(found: Sequence[Standing]) -> list[tuple[str, str, int]]:
    """Return each state that there is, how it is coloured, and how many stand so."""
    counts = Counter((one.state, one.kind) for one in found)
    return [(state, kind, count) for (state, kind), count in counts.items()]


def together(attempts: Sequence[Mapping[str, Any]]) -> list[Tried]:
    """Return the attempts, the newest first, those that differ in the recipient alone as one."""
    groups: dict[bytes, list[Mapping[str, Any]]] = {}
    for attempt in reversed(attempts):
        same = {name: value for name, value in attempt.items() if name not in _OF_ONE}
        groups.setdefault(msgspec.json.encode(same), []).append(attempt)
    return [_tried(group) for group in groups.values()]


def _tried(group: Sequence[Mapping[str, Any]]) -> Tried:
    addresses = sorted(attempt["recipient"] for attempt in group)
    return Tried(
        attempt=group[0],
        recipients=addresses[:_NAMED],
        others=max(0, len(addresses) - _NAMED),
    )


def _standing(recipient: Mapping[str, Any]) -> Standing:
    state = recipient["last_event"] if recipient["state"] == "queued" else recipient["state"]
    return Standing(recipient=recipient, state=state, kind=KINDS.get(state, "muted"))


def _place(state: str) -> int:
    return _FIRST.index(state) if state in _FIRST else len(_FIRST)
