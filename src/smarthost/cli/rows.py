"""Portals and users as they are printed: the JSON that scripts read, in the API's manner."""

from datetime import datetime

import msgspec

from smarthost.clock import moment
from smarthost.portals.model import Portal, Role, User


class PortalRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A portal."""

    id: str
    name: str
    created_at: datetime
    settings_allowed: bool
    domain_senders_allowed: bool
    suspended_at: datetime | None


class UserRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A user of a portal; of the password it tells only whether there is one."""

    id: str
    email: str
    role: Role
    created_at: datetime
    has_password: bool


def portal_row(portal: Portal) -> PortalRow:
    """Return how a portal is printed."""
    return PortalRow(
        id=portal.id,
        name=portal.name,
        created_at=moment(portal.created_at),
        settings_allowed=portal.settings_allowed,
        domain_senders_allowed=portal.domain_senders_allowed,
        suspended_at=None if portal.suspended_at is None else moment(portal.suspended_at),
    )


def user_row(user: User) -> UserRow:
    """Return how a user is printed."""
    return UserRow(
        id=user.id,
        email=user.email,
        role=user.role,
        created_at=moment(user.created_at),
        has_password=user.password_hash is not None,
    )


def shown_time(at: datetime) -> str:
    """Return a time for people: UTC, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def shown_moment(microseconds: int) -> str:
    """Return a moment of `Clock.now` for people."""
    return shown_time(moment(microseconds))
