"""The values of signing in: a session, and why a sign-in is refused."""

import msgspec

from smarthost.portals.model import PortalsError, User


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A user who has signed in, until `expires_at` (microseconds since 1970, UTC)."""

    id: str
    user: User
    expires_at: int


class RecentFailures(msgspec.Struct, frozen=True, kw_only=True):
    """The wrong passwords of the last minute, of one user or from one address."""

    count: int
    fewer_at: int
    """When the oldest of them stops counting, in microseconds since 1970, UTC."""


class TooManyFailuresError(PortalsError):
    """Too many wrong passwords within a minute; nothing was hashed or compared."""

    def __init__(self, *, until: int) -> None:
        """`until`: when the next try is looked at, in microseconds since 1970, UTC."""
        super().__init__(
            "Too many wrong passwords for this user or from this address. "
            "Wait a minute and try again."
        )
        self.until = until
