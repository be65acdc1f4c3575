"""What a session asks to be done, beside what it says: the values that it hands out.

A session does no I/O and knows no store. Each of these is followed by one call of its `answer`.
"""

import msgspec

from smarthost.mail.address import Address
from smarthost.mail.dsn import RecipientDsn
from smarthost.portals.model import Caller, Portal
from smarthost.portals.tokens import Token
from smarthost.sending.sender import PortalSender
from smarthost.smtp.command_parser import Mail
from smarthost.smtp.sasl_server import Credentials
from smarthost.submission.replies import Reply


class Submitter(msgspec.Struct, frozen=True, kw_only=True):
    """Who has logged in."""

    portal: Portal
    caller: Caller
    token: Token
    """The key that was shown, since it can be revoked while the session lasts."""
    sender: PortalSender | None = None
    """Whom the portal's mail may be from; None: that was not looked at."""
    looked_at: float = float("-inf")
    """When all this was found out; seconds of the clock's `monotonic()`."""


class StartTls(msgspec.Struct, frozen=True, kw_only=True):
    """Say `Reply`, then begin TLS; after it `Session.encrypted` is called in place of `answer`."""

    reply: Reply


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Find out who shows these."""

    credentials: Credentials


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Find out whether a message may be from there."""

    submitter: Submitter
    mail: Mail


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Take a message."""

    submitter: Submitter
    mail: Mail
    recipients: dict[Address, RecipientDsn]
    content: bytes
    client_name: str


Step = Reply | StartTls | Login | Sender | Message
