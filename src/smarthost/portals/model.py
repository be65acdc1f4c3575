"""The values of this room: a portal, its users, and the caller of a request.

A caller is a user of one portal, narrowed by the permissions of the credential that was shown:
the role is read from the user's row at every request, so that it holds from the next one on.
"""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What a user is in the portal."""

    ADMINISTRATOR = "administrator"
    USER = "user"


class Permission(StrEnum):
    """What a credential may be used for."""

    READ = "read"
    WRITE = "write"
    SEND = "send"
    ALL = "*"


class CredentialKind(StrEnum):
    """How a caller proved who they are."""

    KEY = "key"
    SESSION = "session"
    PASSWORD = "password"  # noqa: S105 - the kind of credential, not one
    TOKEN = "token"  # noqa: S105
    """A bearer token of the operator's OpenID Connect issuer."""


class Portal(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant. `name` is the label under the base domain, lower case; it never changes."""

    id: str
    name: str
    created_at: int
    settings_allowed: bool
    """False: the operator has switched the SMTP settings off for this portal."""
    domain_senders_allowed: bool = False
    """True: mail may come from any address of the sender's domain, not from the sender alone."""
    suspended_at: int | None = None
    """When the operator suspended the portal, in microseconds since 1970, UTC; None: it is not."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person or application of a portal."""

    portal_id: str
    id: str
    email: str
    role: Role
    password_hash: str | None
    """An Argon2 hash; None: the user signs in with keys alone."""
    created_at: int


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes a request, and what the credential in it allows."""

    user: User
    kind: CredentialKind
    credential_id: str | None
    """The key's or session's id; None for a password and for a bearer token."""
    permissions: frozenset[Permission]

    def holds(self, permission: Permission) -> bool:
        """Whether the credential allows this."""
        return permission in self.permissions or Permission.ALL in self.permissions


class PortalsError(Exception):
    """Base of what this room refuses; the message is plain words for whoever asked."""


class ConflictError(PortalsError):
    """It is already there, or a rule of the whole installation stands against it."""


class NotFoundError(PortalsError):
    """There is none of that name or id in this portal."""
