"""The trace that a server leaves on top of a message that it takes (RFC 5321, section 4.4).

Whoever looks for the way that a message went, or for a circle, reads these fields from the bottom
up. Every value was parsed before; a field that would not be one line each is refused all the same,
as the last check.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from smarthost.mail.address import Address
from smarthost.mail.compose import date_value


@dataclass(frozen=True, kw_only=True, slots=True)
class Hop:
    """How a message came in."""

    client_name: str
    """As the client gave it in EHLO."""
    client_address: str
    """IPv4 or IPv6, without brackets."""
    host: str
    """This server's name, or its address literal."""
    protocol: str
    """A name of IANA's registry of mail transmission types: see `protocol_of`."""


def protocol_of(*, smtputf8: bool, tls: bool) -> str:
    """Return the name of ESMTP with a login (RFC 3848; with SMTPUTF8: RFC 6531, section 4.3)."""
    return f"{'UTF8SMTP' if smtputf8 else 'ESMTP'}{'S' if tls else ''}A"


def received_field(
    hop: Hop, *, message_id: str, recipients: Sequence[Address], date: datetime
) -> bytes:
    """Return the field with its CRLF, in ASCII.

    A single recipient is named; several would learn of each other from it (section 7.6), and one
    beyond ASCII would make the whole header so. Raises `ValueError` on a value with a control
    character, and on a `date` without time zone.
    """
    to = f" for <{recipients[0]}>" if len(recipients) == 1 else ""
    lines = (
        f"Received: from {hop.client_name} ({_literal(hop.client_address)})",
        f" by {hop.host} with {hop.protocol} id {message_id}{to if to.isascii() else ''};",
        f" {date_value(date)}",
    )
    text = "".join(lines)
    if not (text.isascii() and text.isprintable()):
        raise ValueError("A value of Received is not printable ASCII.")
    return "\r\n".join((*lines, "")).encode("ascii")


def _literal(address: str) -> str:
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
