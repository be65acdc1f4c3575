"""A sign-in link as it is stored; its secret is shown once, when it is made."""

import msgspec

from smarthost.portals.model import User

LINK_MINUTES = 15
"""How long a link is good: enough to go from a terminal to a browser, too short to be kept."""


class SignInLink(msgspec.Struct, frozen=True, kw_only=True):
    """What signs `user` in, once, until `expires_at` (microseconds since 1970, UTC)."""

    id: str
    user: User
    expires_at: int
