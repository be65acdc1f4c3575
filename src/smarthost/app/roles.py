"""What a process does of all that Smarthost does, and how several on one machine part it.

On SQLite mail is handed to relays by one process at a time, and that alone can fill a processor.
So where there are several, the first of them delivers and leaves the door for SMTP to the others.
On PostgreSQL each of them does everything.
"""

from enum import StrEnum


class Role(StrEnum):
    """One thing that a process may do."""

    HTTP = "http"
    """Answers the API and the pages."""
    SUBMISSION = "submission"
    """Takes mail by SMTP."""
    DELIVERY = "delivery"
    """Hands mail to relays, calls webhooks, writes notices, and removes what is old."""


Roles = frozenset[Role]

ALL_ROLES: Roles = frozenset(Role)


class RolesError(ValueError):
    """These roles cannot be had; the message says what to type."""


def parse_roles(text: str) -> Roles:
    """Return the roles in a list with commas between them. Raises `RolesError`."""
    names = [name.strip().lower() for name in text.split(",")]
    known = [role.value for role in Role]
    if unknown := [name for name in names if name not in known]:
        raise RolesError(
            f"There is no role {unknown[0]!r}. Name one or more of {', '.join(known)}, with "
            "commas between them."
        )
    return frozenset(map(Role, names))


def parted(roles: Roles, processes: int, *, all_deliver: bool) -> list[Roles]:
    """Return what each of so many processes does, the first one first.

    `all_deliver` says whether the store lets several deliver. Raises `RolesError` where some would
    have nothing to do.
    """
    if all_deliver:
        return [roles] * processes
    if processes == 1:
        return [roles]
    others = roles - {Role.DELIVERY}
    if not others:
        raise RolesError(
            "On SQLite one process delivers for all. Leave --processes out, or add a role: what "
            "several processes share is http and submission."
        )
    first = roles - {Role.SUBMISSION} if Role.DELIVERY in roles else roles
    return [first, *[others] * (processes - 1)]
