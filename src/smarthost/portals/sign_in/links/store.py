"""The rows of sign-in links: made by the operator, looked at, and used up once.

Looking uses nothing up, since chat and mail programs fetch the links that they see; only what a
person confirms does. Wrong links are not counted as wrong passwords are: 256 random bits are not
guessed, however many tries there are.
"""

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.portals.access import refuse_suspended
from smarthost.portals.model import ConflictError, Portal, User
from smarthost.portals.sign_in.links.model import LINK_MINUTES, SignInLink
from smarthost.portals.sign_in.model import Session
from smarthost.portals.sign_in.store import SignInStore
from smarthost.portals.store import read_user
from smarthost.portals.tokens import Token, TokenKind, new_token, parse_token
from smarthost.secret import Secret

_LIFE = LINK_MINUTES * 60 * MICROSECONDS

_TIDY = "DELETE FROM sign_in_links WHERE portal_id = $1 AND expires_at <= $2"
_END_OLDER = "DELETE FROM sign_in_links WHERE portal_id = $1 AND user_id = $2"
_INSERT = """
INSERT INTO sign_in_links (portal_id, id, user_id, secret_hash, created_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6
WHERE EXISTS (SELECT 1 FROM users WHERE portal_id = $1 AND id = $3)"""
_FIND = """
SELECT u.portal_id, u.id, u.email, u.role, u.password_hash, u.created_at,
       l.id, l.expires_at, l.secret_hash
FROM sign_in_links l JOIN users u ON u.portal_id = l.portal_id AND u.id = l.user_id
WHERE l.portal_id = $1 AND l.id = $2"""
_USE_UP = "DELETE FROM sign_in_links WHERE portal_id = $1 AND id = $2"
_END_ALL = "DELETE FROM sign_in_links WHERE portal_id = $1"


class SignInLinks:
    """Makes, finds and uses up links."""

    def __init__(
        self, database: Database, audit: AuditLog, clock: Clock, ids: Ids, sign_ins: SignInStore
    ) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._ids = ids
        self._sign_ins = sign_ins

    async def make(self, user: User, by: Actor) -> tuple[SignInLink, Token]:
        """Make a link for `user`, which ends the user's earlier one; its token is shown once.

        Raises `ConflictError` when the user was removed meanwhile.
        """
        now = self._clock.now()
        token = new_token(TokenKind.SIGN_IN_LINK, self._ids.new())
        link = SignInLink(id=token.id, user=user, expires_at=now + _LIFE)
        row = (user.portal_id, link.id, user.id, token.hash(), now, link.expires_at)
        made = Event(
            portal_id=user.portal_id,
            action="link.made",
            subject=user.email,
            details={"link": link.id},
        )

        async def work(tx: Transaction) -> None:
            await tx.lock(user.portal_id)
            await tx.execute(_TIDY, user.portal_id, now)
            await tx.execute(_END_OLDER, user.portal_id, user.id)
            if not await tx.execute(_INSERT, *row):
                raise ConflictError(f"The user {user.email} was removed meanwhile.")
            await self._audit.record(tx, made, by)

        await self._database.transact(work)
        return link, token

    async def look(self, portal: Portal, text: Secret) -> User | None:
        """Return whom the link with the token `text` signs in to `portal`; it stays as good.

        None if it is wrong, has ended, was used, or belongs to another portal. Raises
        `SuspendedError` for a good link alone, so that no stranger learns of a suspension.
        """
        token = _link_token(text)
        link = None if token is None else await self._find(self._database, portal, token)
        return None if link is None else link.user

    async def use(self, portal: Portal, text: Secret, by: Actor) -> tuple[Session, Token] | None:
        """Use up the link with the token `text` and start a session; of two at once one does.

        `by` says from where and in which request; the audit names the link's user in its place.
        None, and nothing changed, where `look` gives None. Raises `SuspendedError`.
        """
        token = _link_token(text)
        if token is None:
            return None

        async def work(tx: Transaction) -> tuple[Session, Token] | None:
            await tx.lock(portal.id)
            link = await self._find(tx, portal, token)
            if link is None or not await tx.execute(_USE_UP, portal.id, link.id):
                return None
            session, shown = self._sign_ins.new_session(link.user)
            actor = Actor(name=link.user.email, address=by.address, request_id=by.request_id)
            begun = await self._sign_ins.begin(tx, session, shown, actor, link_id=link.id)
            return (session, shown) if begun else None

        return await self._database.transact(work)

    async def end_all(self, tx: Transaction, portal_id: str) -> None:
        """End all links of a portal in `tx`."""
        await tx.execute(_END_ALL, portal_id)

    async def _find(
        self, source: Database | Transaction, portal: Portal, token: Token
    ) -> SignInLink | None:
        rows = await source.fetch(_FIND, portal.id, token.id)
        # An unknown id is compared with the same effort as a known one.
        matches = token.matches(rows[0][-1] if rows else bytes(32))
        if not rows or not matches:
            return None
        link_id, expires_at = rows[0][6:8]
        if self._clock.now() >= expires_at:
            return None
        refuse_suspended(portal)
        return SignInLink(id=link_id, user=read_user(rows[0][:6]), expires_at=expires_at)


def _link_token(text: Secret) -> Token | None:
    token = parse_token(text.reveal())
    return token if token is not None and token.kind is TokenKind.SIGN_IN_LINK else None
