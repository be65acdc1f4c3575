"""A finished message and where it goes: what SMTP carries, apart from what a reader sees.

The content is bytes and never changes once a message is accepted, so that every try sends the
same. What it asks of a relay is found out here, once, and not guessed at again on the way out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from smarthost.mail.address import Address
from smarthost.mail.dsn import Dsn


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """One message for one or more recipients; its `repr` leaves the content out."""

    sender: str
    """The reverse-path without angle brackets; empty: the null one of RFC 5321, section 4.5.5."""
    recipients: tuple[str, ...]
    """The forward-paths without angle brackets."""
    content: bytes = field(repr=False)
    """Header and body as in RFC 5322: lines end in CRLF, and no dot is stuffed yet."""
    needs_smtputf8: bool
    """An address or the header is not ASCII: only a relay with SMTPUTF8 (RFC 6531) may have it."""
    needs_8bit: bool
    """The content has octets above 127: it asks for 8BITMIME (RFC 6152)."""
    dsn: Dsn | None = None
    """What its sender asks to be told, who is then told of failures by mail; None: nobody is."""


def addressed(
    content: bytes,
    *,
    sender: Address | None,
    recipients: Iterable[Address],
    dsn: Dsn | None = None,
) -> Envelope:
    """Put a finished message into its envelope; `sender` None is the null reverse-path.

    RFC 6531, section 3.4, has two reasons for SMTPUTF8: a path that is not ASCII, and a header
    that is not. A body of 8-bit text is none.
    """
    reverse_path = str(sender) if sender else ""
    forward_paths = tuple(str(recipient) for recipient in recipients)
    end = content.find(b"\r\n\r\n")
    header = content if end < 0 else content[:end]
    ascii_paths = all(path.isascii() for path in (reverse_path, *forward_paths))
    return Envelope(
        sender=reverse_path,
        recipients=forward_paths,
        content=content,
        needs_smtputf8=not (ascii_paths and header.isascii()),
        needs_8bit=not content.isascii(),
        dsn=dsn,
    )
