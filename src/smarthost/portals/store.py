"""The rows of portals and their users.

Everything but the portals themselves is found through its portal's id, which comes from the
request's host name or the operator's command, never from what a caller sends.
"""

from collections.abc import Callable

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Row, Transaction
from smarthost.ids import Ids
from smarthost.portals.model import ConflictError, NotFoundError, Portal, Role, User

_PORTALS = """
SELECT id, name, created_at, settings_allowed, domain_senders_allowed, suspended_at FROM portals"""
_PORTAL_BY_NAME = f"{_PORTALS} WHERE name = $1"
_PORTAL_BY_ID = f"{_PORTALS} WHERE id = $1"
_PORTALS_BY_NAME = f"{_PORTALS} ORDER BY name LIMIT $1"
_ANY_PORTAL = "SELECT id FROM portals LIMIT 1"
_COUNT = "SELECT count(*) FROM portals"
_IDS = "SELECT id FROM portals WHERE id > $1 ORDER BY id LIMIT $2"
_ALLOW_SETTINGS = "UPDATE portals SET settings_allowed = $2 WHERE id = $1"
_ALLOW_DOMAIN_SENDERS = "UPDATE portals SET domain_senders_allowed = $2 WHERE id = $1"
_USERS = """
SELECT portal_id, id, email, role, password_hash, created_at FROM users WHERE portal_id = $1"""
_USERS_BY_AGE = f"{_USERS} ORDER BY created_at, id"
_USER_BY_EMAIL = f"{_USERS} AND email = $2"
_FIRST_ADMINISTRATOR = f"{_USERS} AND role = 'administrator' ORDER BY created_at, id LIMIT 1"
_ADMINISTRATORS = """
SELECT count(*) FROM users WHERE portal_id = $1 AND role = 'administrator'"""
_STORE_HASH = "UPDATE users SET password_hash = $3 WHERE portal_id = $1 AND id = $2"
_END_SESSIONS = "DELETE FROM sessions WHERE portal_id = $1 AND user_id = $2"
_END_LINKS = "DELETE FROM sign_in_links WHERE portal_id = $1 AND user_id = $2"
_REMOVE_USER = "DELETE FROM users WHERE portal_id = $1 AND id = $2"
_INSERT_PORTAL = """
INSERT INTO portals (id, name, created_at, settings_allowed) VALUES ($1, $2, $3, 1)
ON CONFLICT DO NOTHING"""
_INSERT_USER = """
INSERT INTO users (portal_id, id, email, role, password_hash, created_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"""

Admit = Callable[[bool], None]
"""Gets whether there is a portal already, and raises `ConflictError` if there can be no other."""


def _admit(_has_any: bool) -> None:
    """Admit any portal."""


class PortalStore:
    """Reads and changes portals and users."""

    def __init__(self, database: Database, audit: AuditLog, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._ids = ids

    async def portal(self, name: str) -> Portal | None:
        """Return the portal of that name."""
        rows = await self._database.fetch(_PORTAL_BY_NAME, name)
        return _portal(rows[0]) if rows else None

    async def portal_by_id(self, portal_id: str) -> Portal | None:
        """Return the portal of that id."""
        rows = await self._database.fetch(_PORTAL_BY_ID, portal_id)
        return _portal(rows[0]) if rows else None

    async def portals(self, at_most: int = 1_000_000_000) -> list[Portal]:
        """Return the portals, by name."""
        rows = await self._database.fetch(_PORTALS_BY_NAME, at_most)
        return [_portal(row) for row in rows]

    async def has_any(self, tx: Transaction) -> bool:
        """Tell whether there is a portal; nobody else asks the same before `tx` has ended."""
        await tx.lock("portals")
        return bool(await tx.fetch(_ANY_PORTAL))

    async def count(self) -> int:
        """Return how many portals there are."""
        return int((await self._database.fetch(_COUNT))[0][0])

    async def ids(self, *, after: str, at_most: int) -> list[str]:
        """Return the ids of portals, in their order, from the one behind `after` on."""
        return await self.ids_in(self._database, after=after, at_most=at_most)

    async def ids_in(self, tx: Transaction | Database, *, after: str, at_most: int) -> list[str]:
        """Return them as they are in `tx`."""
        return [row[0] for row in await tx.fetch(_IDS, after, at_most)]

    async def create_portal(self, name: str, by: Actor, admit: Admit = _admit) -> Portal:
        """Create a portal if `admit` lets it. Raises `ConflictError` when the name is taken."""
        portal = self.new_portal(name)

        async def work(tx: Transaction) -> None:
            admit(await self.has_any(tx))
            await self.insert_portal(tx, portal, by)

        await self._database.transact(work)
        return portal

    def new_portal(self, name: str) -> Portal:
        """Return a portal that is not stored yet."""
        return Portal(
            id=self._ids.new(), name=name, created_at=self._clock.now(), settings_allowed=True
        )

    async def insert_portal(self, tx: Transaction, portal: Portal, by: Actor) -> None:
        """Store a new portal in `tx`. Raises `ConflictError` when the name is taken."""
        if not await tx.execute(_INSERT_PORTAL, portal.id, portal.name, portal.created_at):
            raise ConflictError(f"There is already a portal named {portal.name}.")
        event = Event(portal_id=portal.id, action="portal.created", subject=portal.name)
        await self._audit.record(tx, event, by)

    async def allow_settings(self, portal: Portal, by: Actor, *, allowed: bool) -> None:
        """Switch the SMTP settings of a portal on or off."""
        action = "portal.settings_allowed" if allowed else "portal.settings_denied"

        async def work(tx: Transaction) -> None:
            await tx.execute(_ALLOW_SETTINGS, portal.id, int(allowed))
            event = Event(portal_id=portal.id, action=action, subject=portal.name)
            await self._audit.record(tx, event, by)

        await self._database.transact(work)

    async def allow_domain_senders(self, portal: Portal, by: Actor, *, allowed: bool) -> None:
        """Let mail of a portal come from its sender's whole domain, or from the sender alone."""
        action = "portal.domain_senders_allowed" if allowed else "portal.domain_senders_denied"

        async def work(tx: Transaction) -> None:
            await tx.execute(_ALLOW_DOMAIN_SENDERS, portal.id, int(allowed))
            event = Event(portal_id=portal.id, action=action, subject=portal.name)
            await self._audit.record(tx, event, by)

        await self._database.transact(work)

    async def users(self, portal_id: str) -> list[User]:
        """Return the portal's users, oldest first."""
        rows = await self._database.fetch(_USERS_BY_AGE, portal_id)
        return [read_user(row) for row in rows]

    async def user(self, portal_id: str, email: str) -> User | None:
        """Return the user with that address, compared without regard to ASCII case."""
        rows = await self._database.fetch(_USER_BY_EMAIL, portal_id, email_key(email))
        return read_user(rows[0]) if rows else None

    async def first_administrator(self, portal_id: str) -> User | None:
        """Return the administrator that the portal has had for the longest time."""
        rows = await self._database.fetch(_FIRST_ADMINISTRATOR, portal_id)
        return read_user(rows[0]) if rows else None

    async def create_user(
        self, portal_id: str, email: str, role: Role, password_hash: str | None, by: Actor
    ) -> User:
        """Create a user. Raises `ConflictError` when the address has one already."""
        user = self.new_user(portal_id, email, role, password_hash)

        async def work(tx: Transaction) -> None:
            await self.insert_user(tx, user, by)

        await self._database.transact(work)
        return user

    def new_user(self, portal_id: str, email: str, role: Role, password_hash: str | None) -> User:
        """Return a user that is not stored yet."""
        return User(
            portal_id=portal_id,
            id=self._ids.new(),
            email=email_key(email),
            role=role,
            password_hash=password_hash,
            created_at=self._clock.now(),
        )

    async def insert_user(self, tx: Transaction, user: User, by: Actor) -> None:
        """Store a new user in `tx`. Raises `ConflictError` when the address has one already."""
        row = (user.portal_id, user.id, user.email, user.role.value, user.password_hash)
        if not await tx.execute(_INSERT_USER, *row, user.created_at):
            raise ConflictError(f"The portal already has a user {user.email}.")
        await self._audit.record(tx, _event("user.created", user, role=user.role.value), by)

    async def set_password(self, user: User, password_hash: str, by: Actor) -> None:
        """Store a new password's hash, and end the user's sessions and sign-in link."""

        async def work(tx: Transaction) -> None:
            await tx.lock(user.portal_id)
            if not await tx.execute(_STORE_HASH, user.portal_id, user.id, password_hash):
                raise NotFoundError(f"The portal has no user {user.email} any more.")
            await tx.execute(_END_SESSIONS, user.portal_id, user.id)
            await tx.execute(_END_LINKS, user.portal_id, user.id)
            await self._audit.record(tx, _event("user.password_set", user), by)

        await self._database.transact(work)

    async def remove_user(self, user: User, by: Actor) -> None:
        """Remove a user with all keys, sessions and links; the last administrator stays."""

        async def work(tx: Transaction) -> None:
            await tx.lock(user.portal_id)
            if not await tx.execute(_REMOVE_USER, user.portal_id, user.id):
                raise NotFoundError(f"The portal has no user {user.email} any more.")
            if user.role is Role.ADMINISTRATOR and not await _administrators(tx, user.portal_id):
                raise ConflictError(
                    f"{user.email} is the portal's last administrator. Create another one first."
                )
            await self._audit.record(tx, _event("user.removed", user), by)

        await self._database.transact(work)


def email_key(email: str) -> str:
    """Return the form in which addresses of users are stored and compared.

    ASCII letters alone are folded: full Unicode folding makes different addresses equal.
    """
    return "".join(letter.lower() if letter.isascii() else letter for letter in email)


def read_user(row: Row) -> User:
    """Make a user from the columns portal_id, id, email, role, password_hash, created_at."""
    portal_id, user_id, email, role, password_hash, created_at = row
    return User(
        portal_id=portal_id,
        id=user_id,
        email=email,
        role=Role(role),
        password_hash=password_hash,
        created_at=created_at,
    )


def _portal(row: Row) -> Portal:
    portal_id, name, created_at, settings_allowed, domain_senders_allowed, suspended_at = row
    return Portal(
        id=portal_id,
        name=name,
        created_at=created_at,
        settings_allowed=bool(settings_allowed),
        domain_senders_allowed=bool(domain_senders_allowed),
        suspended_at=suspended_at,
    )


async def _administrators(tx: Transaction, portal_id: str) -> int:
    rows = await tx.fetch(_ADMINISTRATORS, portal_id)
    return int(rows[0][0])


def _event(action: str, user: User, **details: object) -> Event:
    return Event(portal_id=user.portal_id, action=action, subject=user.email, details=details)
