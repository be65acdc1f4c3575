"""An API key as it is stored and listed; its secret is shown once, when it is made."""

import msgspec

from smarthost.portals.model import Permission, User


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key after it was made. Times are microseconds since 1970, UTC."""

    id: str
    user: User
    """The key acts as this user: the user's role now, narrowed by `permissions`."""
    name: str
    permissions: frozenset[Permission]
    postfix: str
    created_at: int
    expires_at: int | None
    last_used_at: int | None

    def is_active(self, now: int) -> bool:
        """Whether the key is still accepted at `now`."""
        return self.expires_at is None or now < self.expires_at
