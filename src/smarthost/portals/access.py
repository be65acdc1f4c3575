"""What a caller may do: one pure rule an action, so that web and tests read the same table.

The order is the contract's: the operator's switch (402) is seen before what is 403, which is a
suspended portal first, then the caller's role and permission. All of it comes behind the question
who is asking, so that no stranger learns that a portal is suspended.
"""

from enum import Enum

from smarthost.portals.model import (
    Caller,
    CredentialKind,
    Permission,
    Portal,
    PortalsError,
    Role,
)


class Action(Enum):
    """What can be asked for, with the permission that it needs."""

    SIGNED_IN = None
    """Only to be somebody: any valid credential will do."""
    READ_SETTINGS = Permission.READ
    CHANGE_SETTINGS = Permission.WRITE
    MANAGE_KEYS = Permission.ALL
    SEND_MAIL = Permission.SEND
    """To send, and to see and handle what was sent: see `whose_mail`."""


OF_THE_SETTINGS = frozenset({Action.READ_SETTINGS, Action.CHANGE_SETTINGS})
"""What the operator can switch off for a portal."""


class SuspendedError(PortalsError):
    """The operator has suspended the portal: nobody of it gets in, and its mail waits."""


class SettingsSwitchedOffError(PortalsError):
    """The operator does not let this portal have SMTP settings of its own."""


class ForbiddenError(PortalsError):
    """The caller is known, and may not do this."""


def authorize(action: Action, caller: Caller, portal: Portal) -> None:
    """Return if `caller` may do `action`; otherwise raise one of the three errors above."""
    if action in OF_THE_SETTINGS and not portal.settings_allowed:
        raise SettingsSwitchedOffError(
            "SMTP settings are switched off for this portal. Ask the operator of the "
            "installation to switch them on."
        )
    refuse_suspended(portal)
    if action in OF_THE_SETTINGS and caller.user.role is not Role.ADMINISTRATOR:
        raise ForbiddenError(
            "Only an administrator of the portal may see or change its SMTP settings."
        )
    needed = action.value
    if needed is not None and not caller.holds(needed):
        raise ForbiddenError(_missing(needed))


def refuse_suspended(portal: Portal) -> None:
    """Raise `SuspendedError` if the operator has suspended `portal`.

    `authorize` does; this is for who has no caller yet, and for the operator's own commands.
    """
    if portal.suspended_at is not None:
        raise SuspendedError(
            "This portal is suspended: nobody can use it, and its mail is kept and waits. Ask the "
            "operator of the installation to resume it."
        )


def authorize_key_permissions(permissions: frozenset[Permission], caller: Caller) -> None:
    """Return if `caller` may make a key that holds `permissions`, else raise `ForbiddenError`.

    Everything but sending is an administrator's, so another user's key could never use it.
    """
    if caller.user.role is not Role.ADMINISTRATOR and permissions != {Permission.SEND}:
        raise ForbiddenError("Only an administrator may hold keys for more than 'send'.")


def owner_of(caller: Caller) -> str:
    """Return whose the mail is that `caller` sends: one key's, or a user's without any."""
    if caller.kind is CredentialKind.KEY:
        return f"key:{caller.credential_id}"
    return f"user:{caller.user.id}"


def whose_mail(caller: Caller) -> str | None:
    """Return the owner whose mail `caller` may see and handle, None for all of the portal's.

    An administrator's key that is for sending alone sees what it has sent, like anybody's.
    """
    if caller.user.role is Role.ADMINISTRATOR and caller.holds(Permission.ALL):
        return None
    return owner_of(caller)


def _missing(needed: Permission) -> str:
    if needed is Permission.ALL:
        return "This key may not do that: sign in, or use a key with the permission '*'."
    return f"This key lacks the permission '{needed}'. Use one that has it, or one with '*'."
