"""The rows of API keys: making, finding, listing and revoking them.

A key is found by its id within the portal that the request is for, so that one portal's key is
nothing at all in another. Where nothing but the key says which portal that is, as with SMTP, the
key's own portal is looked up first.
"""

from functools import lru_cache

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Row, Transaction
from smarthost.ids import Ids
from smarthost.portals.keys.model import ApiKey
from smarthost.portals.model import ConflictError, NotFoundError, Permission, User
from smarthost.portals.store import read_user
from smarthost.portals.tokens import Token, TokenKind, new_token

_JOINED = """
SELECT u.portal_id, u.id, u.email, u.role, u.password_hash, u.created_at,
       k.id, k.name, k.permissions, k.postfix, k.created_at, k.expires_at, k.last_used_at,
       k.secret_hash
FROM api_keys k JOIN users u ON u.portal_id = k.portal_id AND u.id = k.user_id
WHERE k.portal_id = $1"""
_ONE = f"{_JOINED} AND k.id = $2"
_ALL = f"{_JOINED} ORDER BY k.created_at, k.id"
_OF_USER = f"{_JOINED} AND k.user_id = $2 ORDER BY k.created_at, k.id"
_PORTAL_OF_KEY = "SELECT portal_id FROM api_keys WHERE id = $1"
_INSERT = """
INSERT INTO api_keys (portal_id, id, user_id, name, permissions, secret_hash, postfix,
                      created_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
WHERE EXISTS (SELECT 1 FROM users WHERE portal_id = $1 AND id = $3)"""
_REVOKE = """
DELETE FROM api_keys
WHERE portal_id = $1 AND id = $2 AND user_id = coalesce(CAST($3 AS TEXT), user_id)"""
_USED = """
UPDATE api_keys SET last_used_at = $3
WHERE portal_id = $1 AND id = $2 AND coalesce(last_used_at, 0) < $3"""


class KeyStore:
    """Reads and changes API keys."""

    def __init__(self, database: Database, audit: AuditLog, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._ids = ids

    async def create(
        self,
        user: User,
        name: str,
        permissions: frozenset[Permission],
        expires_at: int | None,
        by: Actor,
    ) -> tuple[ApiKey, Token]:
        """Make a key for `user`; the token is not to be had again.

        Raises `ConflictError` when the user was removed meanwhile.
        """
        key, token = self.new_key(user, name, permissions, expires_at)

        async def work(tx: Transaction) -> None:
            await self.insert(tx, key, token, by)

        await self._database.transact(work)
        return key, token

    def new_key(
        self, user: User, name: str, permissions: frozenset[Permission], expires_at: int | None
    ) -> tuple[ApiKey, Token]:
        """Return a key that is not stored yet, with its token."""
        token = new_token(TokenKind.API_KEY, self._ids.new())
        key = ApiKey(
            id=token.id,
            user=user,
            name=name,
            permissions=permissions,
            postfix=token.postfix(),
            created_at=self._clock.now(),
            expires_at=expires_at,
            last_used_at=None,
        )
        return key, token

    async def insert(self, tx: Transaction, key: ApiKey, token: Token, by: Actor) -> None:
        """Store a new key in `tx`. Raises `ConflictError` when its user was removed meanwhile."""
        user = key.user
        await tx.lock(user.portal_id)
        held = sorted(key.permissions)
        row = (user.portal_id, key.id, user.id, key.name, " ".join(held), token.hash())
        if not await tx.execute(_INSERT, *row, key.postfix, key.created_at, key.expires_at):
            raise ConflictError(f"The user {user.email} was removed meanwhile.")
        event = Event(
            portal_id=user.portal_id,
            action="key.created",
            subject=key.id,
            details={"name": key.name, "user": user.email, "permissions": held},
        )
        await self._audit.record(tx, event, by)

    async def find(self, portal_id: str, token: Token) -> ApiKey | None:
        """Return the key that `token` is, if it is valid and has not expired."""
        rows = await self._database.fetch(_ONE, portal_id, token.id)
        # An unknown id is compared with the same effort as a known one.
        matches = token.matches(rows[0][-1] if rows else bytes(32))
        if not rows or not matches:
            return None
        key = _read(rows[0])
        return key if key.is_active(self._clock.now()) else None

    async def find_anywhere(self, token: Token) -> ApiKey | None:
        """Return the key that `token` is, in whichever portal, if it is valid and not expired."""
        rows = await self._database.fetch(_PORTAL_OF_KEY, token.id)
        # For an unknown id the same is done as for a known one.
        return await self.find(rows[0][0] if rows else "", token)

    async def record_uses(self, uses: list[tuple[tuple[str, str], int]]) -> None:
        """Write times of last use: ((portal id, key id), microseconds since 1970)."""

        async def work(tx: Transaction) -> None:
            # In one order everywhere: nobody waits for a row while keeping another's.
            for (portal_id, used_key), at in sorted(uses):
                await tx.execute(_USED, portal_id, used_key, at)

        await self._database.transact(work)

    async def of_portal(self, portal_id: str) -> list[ApiKey]:
        """Return all keys of a portal, oldest first."""
        return [_read(row) for row in await self._database.fetch(_ALL, portal_id)]

    async def of_user(self, user: User) -> list[ApiKey]:
        """Return a user's keys, oldest first."""
        rows = await self._database.fetch(_OF_USER, user.portal_id, user.id)
        return [_read(row) for row in rows]

    async def revoke(self, portal_id: str, key_id: str, by: Actor, owner: User | None) -> None:
        """Delete a key of the portal, of `owner` alone if one is given.

        Raises `NotFoundError` when there is none such, another's included.
        """
        owner_id = None if owner is None else owner.id
        revoked = Event(portal_id=portal_id, action="key.revoked", subject=key_id)

        async def work(tx: Transaction) -> None:
            if not await tx.execute(_REVOKE, portal_id, key_id, owner_id):
                raise NotFoundError("There is no such key.")
            await self._audit.record(tx, revoked, by)

        await self._database.transact(work)


@lru_cache(maxsize=32)
def _permissions(stored: str) -> frozenset[Permission]:
    return frozenset(map(Permission, stored.split()))


def _read(row: Row) -> ApiKey:
    key_id, name, permissions, postfix, created_at, expires_at, last_used_at = row[6:13]
    return ApiKey(
        id=key_id,
        user=read_user(row[:6]),
        name=name,
        permissions=_permissions(permissions),
        postfix=postfix,
        created_at=created_at,
        expires_at=expires_at,
        last_used_at=last_used_at,
    )
