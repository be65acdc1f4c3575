"""The values of reading the audit: which events are wanted, and an event as it was written."""

from typing import NamedTuple

import msgspec

AT_ANY_TIME = 2**63 - 1


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are wanted; those that meet all of it."""

    portal_id: str | None = None
    """None: those of all portals."""
    since: int = 0
    """Microseconds since 1970, UTC, as all times."""
    before: int = AT_ANY_TIME
    action: str | None = None
    """As `settings.saved`; None: whatever was done."""
    by: str | None = None
    """A user's e-mail address, or `operator` whoever it acted for; None: whoever did it."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was written down."""

    id: str
    portal: str | None
    """The portal's name; None: it was the whole installation's."""
    at: int
    actor: str
    address: str | None
    request_id: str | None
    action: str
    subject: str
    details: dict[str, object]


class Page(NamedTuple):
    """Some events, and how much of the audit has been looked through with them, from 0 to 1."""

    records: list[Record]
    share: float


class NoSuchEventError(Exception):
    """There is no event of that id in this audit."""

    def __init__(self, event_id: str) -> None:
        super().__init__(
            f"There is no event {event_id} in this audit. After a restore it is another one: "
            "begin anew."
        )
