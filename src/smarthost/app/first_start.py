"""What an empty installation needs before anybody can use it.

The portal `default`, its administrator and a first key come in one transaction: there is never a
portal that nobody can enter.
"""

import msgspec

from smarthost.app.parts import Parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.database.engine import Transaction
from smarthost.portals.model import ConflictError, Permission, Portal, Role, User
from smarthost.secret import Secret

PORTAL_NAME = "default"
_KEY_NAME = "first key"


class FirstStart(msgspec.Struct, frozen=True, kw_only=True):
    """What was made; the key is not to be had again."""

    portal: Portal
    administrator: User
    key: Secret


async def initialise(parts: Parts, admin_email: str) -> FirstStart:
    """Make the first portal, administrator and key.

    Raises `ConflictError` when there is a portal already, and changes nothing.
    """
    portals, keys, by = parts.portals, parts.keys, Actor(name=OPERATOR)
    portal = portals.new_portal(PORTAL_NAME)
    user = portals.new_user(portal.id, admin_email, Role.ADMINISTRATOR, None)
    key, token = keys.new_key(user, _KEY_NAME, frozenset({Permission.ALL}), None)

    async def work(tx: Transaction) -> None:
        if await portals.has_any(tx):
            raise ConflictError("There is an installation already; nothing was changed.")
        await portals.insert_portal(tx, portal, by)
        await portals.insert_user(tx, user, by)
        await keys.insert(tx, key, token, by)

    await parts.database.transact(work)
    return FirstStart(portal=portal, administrator=user, key=token.text())
