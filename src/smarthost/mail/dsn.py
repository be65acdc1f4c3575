"""What a sender asks to be told of a message's delivery (RFC 3461): part of its envelope.

These are the values of ENVID, RET, NOTIFY and ORCPT, decoded. They are kept as they were given,
since a relay that knows the extension has to get the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Notify(StrEnum):
    """When a sender wants word of one recipient (section 4.1)."""

    NEVER = "NEVER"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    DELAY = "DELAY"


class Return(StrEnum):
    """How much of the message a notice of failure is to hold (section 4.3)."""

    FULL = "FULL"
    HEADERS = "HDRS"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipientDsn:
    """What was asked for one recipient."""

    notify: frozenset[Notify] | None = None
    """None: nothing was said, which means failures; `NEVER` stands alone."""
    original_recipient: str | None = None
    """ORCPT, `rfc822;anna@example.org` with the address part decoded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dsn:
    """What was asked for a message that came by SMTP, if only by saying nothing."""

    ret: Return | None = None
    envelope_id: str | None = None
    """ENVID, decoded: 1 to 100 printable ASCII characters."""
    recipients: Mapping[str, RecipientDsn] = field(default_factory=dict)
    """By forward-path; one that is missing asked for nothing."""
