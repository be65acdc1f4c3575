"""Finds what a command names: the portal, its user, and in whose name the audit tells of it."""

from smarthost.app.opening import NotInitialisedError
from smarthost.app.parts import Parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.cli.exit_codes import RefusedError, UsageError
from smarthost.config import Config
from smarthost.mail.address import parse_address
from smarthost.portals.model import NotFoundError, Portal, User
from smarthost.portals.rules import parse_portal_name

_NAMED = 3
"""How many portals a message names."""

BY_OPERATOR = Actor(name=OPERATOR)


async def chosen_portal(config: Config, parts: Parts, name: str | None) -> Portal:
    """Return the portal of that name, or the only one.

    Raises `NotFoundError`, `PortalNameError`, `UsageError` where there are several, and
    `NotInitialisedError` where there is none at all.
    """
    if name is not None:
        return await named_portal(parts, name)
    portals = await parts.portals.portals(at_most=_NAMED + 1)
    if not portals:
        raise NotInitialisedError(config.data_dir)
    if len(portals) > 1:
        names = [portal.name for portal in portals[:_NAMED]]
        more = ", …" if len(portals) > _NAMED else ""
        raise UsageError(
            f"There are several portals ({', '.join(names)}{more}). "
            "Say which one with --portal NAME."
        )
    return portals[0]


async def open_portal(config: Config, parts: Parts, name: str | None) -> Portal:
    """Return the portal of that name, or the only one, for what a suspended one may not do.

    Raises `RefusedError`, and what `chosen_portal` raises.
    """
    portal = await chosen_portal(config, parts, name)
    if portal.suspended_at is not None:
        raise RefusedError(
            f"The portal {portal.name} is suspended: nobody gets in, and nothing is sent. "
            f"To let it go on: smarthost portal resume {portal.name}"
        )
    return portal


async def named_portal(parts: Parts, name: str) -> Portal:
    """Return the portal of that name. Raises `NotFoundError`, `PortalNameError`."""
    portal = await parts.portals.portal(parse_portal_name(name))
    if portal is None:
        raise NotFoundError(f"There is no portal named {name}. See: smarthost portal list")
    return portal


async def named_user(parts: Parts, portal: Portal, email: str) -> User:
    """Return the portal's user with that address. Raises `NotFoundError`, `AddressError`."""
    address = str(parse_address(email))
    user = await parts.portals.user(portal.id, address)
    if user is None:
        raise NotFoundError(
            f"The portal {portal.name} has no user {address}. "
            f"See: smarthost user list --portal {portal.name}"
        )
    return user


async def acting_user(parts: Parts, portal: Portal, email: str | None) -> User:
    """Return the user of that address, or the portal's first administrator.

    Raises `NotFoundError`, `AddressError`.
    """
    if email is not None:
        return await named_user(parts, portal, email)
    first = await parts.portals.first_administrator(portal.id)
    if first is None:
        raise NotFoundError(
            f"The portal {portal.name} has no administrator. Make one with: "
            f"smarthost user create --portal {portal.name} --role administrator EMAIL"
        )
    return first


async def actor(parts: Parts, portal: Portal, email: str | None) -> Actor:
    """Return who the audit names: the operator, on behalf of the user of that address if any.

    Raises `NotFoundError`, `AddressError`.
    """
    if email is None:
        return BY_OPERATOR
    user = await named_user(parts, portal, email)
    return Actor(name=f"{OPERATOR} as {user.email}")
