"""Whom a portal's mail may be from: the address of its settings, or its whole domain.

Relays send for whoever logs in, so it is here that one portal is kept from writing in another's
name. Where the operator has allowed it, any address of the sender's domain may be used.
"""

from functools import lru_cache

import msgspec

from smarthost.mail.address import Address, parse_address
from smarthost.mail.mailbox import Mailbox
from smarthost.portals.model import Portal
from smarthost.smtp_settings.model import SmtpSettings


class PortalSender(msgspec.Struct, frozen=True, kw_only=True):
    """The sender of a portal's settings in force, and how far it reaches."""

    mailbox: Mailbox
    whole_domain: bool
    """Any address of the same domain may be used too."""
    written: str
    """The mailbox as text, which applications are often set up with: it need not be read."""

    def allows(self, address: Address) -> bool:
        """Whether the portal's mail may be from `address`; ASCII case does not matter."""
        own = self.mailbox.address
        if address.domain != own.domain:
            return False
        return self.whole_domain or _folded(address.local_part) == _folded(own.local_part)

    @property
    def allowed(self) -> str:
        """What may be used, in words."""
        own = self.mailbox.address
        return f"an address of {own.domain}" if self.whole_domain else str(own)


@lru_cache(maxsize=256)
def sender_of(portal: Portal, settings: SmtpSettings) -> PortalSender:
    """Return the sender of a portal with these settings in force."""
    mailbox = Mailbox(
        address=parse_address(settings.sender_address),
        display_name=settings.sender_display_name,
    )
    return PortalSender(
        mailbox=mailbox, whole_domain=portal.domain_senders_allowed, written=str(mailbox)
    )


def _folded(local_part: str) -> str:
    # Other letters are compared as they are: their foldings make one address of two.
    return local_part.lower() if local_part.isascii() else local_part
