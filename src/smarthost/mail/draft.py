"""A message as an application hands it over: its parts, before they are octets.

Nothing is checked here: `compose` does, when it writes them. Who gets a blind copy is not among
the parts, so that no mistake can put it into the message.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from smarthost.mail.mailbox import Mailbox


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file that goes with a message; its `repr` leaves the content out."""

    filename: str
    content: bytes = field(repr=False)
    content_type: str | None = None
    """A media type, with parameters if it has some; None: what the file's name suggests."""
    content_id: str | None = None
    """By which the HTML shows it (`cid:…`), without angle brackets; None: it is not shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """The parts of a message; its `repr` leaves the texts out."""

    from_: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...] = ()
    reply_to: tuple[Mailbox, ...] = ()
    subject: str
    text: str | None = field(default=None, repr=False)
    """None: made from the HTML; empty: the HTML stands alone."""
    html: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers by name."""
    attachments: tuple[Attachment, ...] = ()
    message_id: str
    """With its angle brackets."""
    date: datetime
    """Knows its time zone; written in UTC, in whole seconds."""
