"""What a person wants to know of a message that was caught: from, to, about, and its text.

It is lenient, unlike the rest: whatever was sent is shown as well as it can be.
"""

from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import msgspec


class CaughtMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it arrived. Its texts are the sender's: not fit for a terminal as they are."""

    sender: str
    """From the envelope; empty for a bounce."""
    recipients: tuple[str, ...]
    subject: str
    text: str
    """The plain text part; the whole source where there is none to be read."""


def read_caught(sender: str, recipients: Sequence[str], content: bytes) -> CaughtMessage:
    """Read a message from its envelope and content, whatever that holds."""
    try:
        subject, text = _read(content)
    except (LookupError, ValueError, TypeError, AttributeError):
        # The parser's own ways to give up: an unknown charset, a header it stumbles over.
        subject, text = "", content.decode("utf-8", "replace")
    return CaughtMessage(
        sender=sender,
        recipients=tuple(recipients),
        subject=subject,
        text=text.replace("\r\n", "\n"),
    )


def _read(content: bytes) -> tuple[str, str]:
    message = message_from_bytes(content, _class=EmailMessage, policy=default)
    part = message.get_body(("plain",))
    text = content.decode("utf-8", "replace") if part is None else str(part.get_content())
    return str(message["Subject"] or ""), text
