"""The values of this room: an e-mail as it was asked for, and what is wrong with it.

Whoever asks (HTTP, the command line) brings an `EmailInput`, each value of the right type and not
yet looked at. It becomes a message for the queue, or faults that name every wrong field.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto

import msgspec

from smarthost.mail.address import Address
from smarthost.mail.dsn import Dsn
from smarthost.mail.received import Hop
from smarthost.mail_queue.accepted.model import Details


class AttachmentInput(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be sent along."""

    filename: str | None
    content: bytes | None
    content_type: str | None = None
    """None: what the file name says."""
    content_id: str | None = None
    """The name by which the HTML shows it, without angle brackets; None: it stands by itself."""


class TagInput(msgspec.Struct, frozen=True, kw_only=True):
    """A word that the application finds its e-mails by; no recipient sees it."""

    name: str | None
    value: str


class EmailInput(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants sent. Addresses are as typed, with or without a name."""

    from_: str | None = None
    """None: the portal's sender."""
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    reply_to: tuple[str, ...] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    headers: Mapping[str, str] = {}
    attachments: tuple[AttachmentInput, ...] = ()
    tags: tuple[TagInput, ...] = ()
    scheduled_at: str | None = None
    """When it is to be sent, in words; None: at once."""
    expires_at: str | None = None
    """When it is of no use any more, in words; None: as long as the queue keeps trying."""
    at_most_once: bool = False
    """Rather not at all than twice."""
    raw: bytes | None = None
    """A whole message of MIME, in place of subject, bodies, headers and attachments."""


class EnvelopedInput(msgspec.Struct, frozen=True, kw_only=True):
    """A whole message that comes with its envelope, as SMTP brings it."""

    content: bytes
    """Each line ends in CRLF, and there is no NUL: whoever read it has made sure."""
    sender: Address | None
    """None: the null reverse-path."""
    recipients: tuple[Address, ...]
    """At least one, each once."""
    dsn: Dsn
    hop: Hop


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """A message to the last octet, and who it is from and goes to."""

    content: bytes
    sender: Address
    """The envelope's, where notices of failure go."""
    recipients: Sequence[Address]
    details: Details


class FaultKind(Enum):
    """What sort of fault it is."""

    MISSING = auto()
    INVALID = auto()
    NOT_ALLOWED = auto()
    """The value is a good one; this portal may not use it."""
    TOO_LARGE = auto()
    """The message has more octets than one may have."""
    LOOP = auto()
    """The message goes in a circle."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One wrong field, by the API's name, with what to do about it."""

    field: str
    message: str
    kind: FaultKind = FaultKind.INVALID


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """An e-mail that cannot be sent: everything that is wrong with it."""

    faults: tuple[Fault, ...]

    @property
    def message(self) -> str:
        """All faults in one line."""
        return " ".join(f"{fault.field}: {fault.message}" for fault in self.faults)

    def by_field(self) -> dict[str, list[str]]:
        """Return the messages by field."""
        told: dict[str, list[str]] = {}
        for fault in self.faults:
            told.setdefault(fault.field, []).append(fault.message)
        return told

    def below(self, where: str) -> "Refused":
        """Return the same faults with `where` before each field."""
        return Refused(
            faults=tuple(
                msgspec.structs.replace(fault, field=f"{where}.{fault.field}")
                for fault in self.faults
            )
        )


def refused(faults: Iterable[Fault]) -> Refused:
    """Return the refusal for these faults."""
    return Refused(faults=tuple(faults))
