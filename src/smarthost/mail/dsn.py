"""What a sender asks to be told of a message's delivery (RFC 3461): part of its envelope.

These are the values of ENVID, RET, NOTIFY and ORCPT, decoded. They are kept as they were given,
since a relay that knows the extension has to get the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

# RFC 6533, section 3: what its QCHAR leaves out, but for the backslash, which begins an escape.
_TO_ESCAPE = re.compile(r"[^!-*,-<>-~]")


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

    def asked_for(self, recipient: str) -> RecipientDsn:
        """Return what was asked for one forward-path."""
        return self.recipients.get(recipient, _NOTHING)


_NOTHING = RecipientDsn()


def in_ascii(address: str) -> str:
    r"""Give an address as an ASCII field takes it: utf-8-addr-xtext (RFC 6533, section 3).

    An address in ASCII stays as it is; of any other, what a field does not take is `\x{…}`.
    """
    if address.isascii():
        return address
    return _TO_ESCAPE.sub(lambda char: f"\\x{{{ord(char[0]):02X}}}", address)
