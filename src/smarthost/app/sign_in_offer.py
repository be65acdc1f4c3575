"""How the first administrator, who has no password yet, comes to the administrator's page.

A link is made only for a person who sees it at once: nobody else is to find it, and it is good
for minutes. Everybody else is told the command that makes one.
"""

import msgspec

from smarthost.app.parts import Parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.database.engine import StoreFullError
from smarthost.portals.model import ConflictError, Portal, User
from smarthost.secret import Secret
from smarthost.web.sign_in_link import sign_in_url


class SignInOffer(msgspec.Struct, frozen=True, kw_only=True):
    """Who may sign in, and by which address."""

    portal: str
    """The portal's name."""
    email: str
    url: Secret | None
    """A link that was just made; None: none was."""


async def offer_sign_in(
    parts: Parts, portal: Portal, url: str, *, make_link: bool
) -> SignInOffer | None:
    """Return how the first administrator signs in to `portal`, which is reached at `url`.

    None where nobody can: in a portal that is suspended or has no administrator. Raises
    `StoreUnavailableError`.
    """
    administrator = await parts.portals.first_administrator(portal.id)
    if administrator is None or portal.suspended_at is not None:
        return None
    link = await _link(parts, administrator, url) if make_link else None
    return SignInOffer(portal=portal.name, email=administrator.email, url=link)


async def _link(parts: Parts, user: User, url: str) -> Secret | None:
    try:
        _, token = await parts.links.make(user, Actor(name=OPERATOR))
    except (StoreFullError, ConflictError):
        # A full disk, or a user removed at this moment: the service starts all the same, and a
        # first key that was made before is still to be shown.
        return None
    return sign_in_url(url, token)
