"""The rows behind signing in: counted failures and sessions.

Failures are rows, not memory, so that the limit holds over a restart and for every process. Those
of the last minute count, whenever that began; older rows go when a new one is written.
"""

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import Database, Row, Transaction
from smarthost.ids import Ids
from smarthost.portals.model import User
from smarthost.portals.sign_in.model import RecentFailures, Session
from smarthost.portals.store import read_user
from smarthost.portals.tokens import Token, TokenKind, new_token

WINDOW = 60 * MICROSECONDS
SESSION_LIFE = 24 * 3600 * MICROSECONDS
"""A session ends a day after its start, however it was used."""

_RECENT = """
SELECT coalesce(sum(failures), 0), min(at) FROM sign_in_failures WHERE subject = $1 AND at > $2"""
_RECORD = """
INSERT INTO sign_in_failures (subject, at, failures) VALUES ($1, $2, 1)
ON CONFLICT (subject, at) DO UPDATE SET failures = sign_in_failures.failures + 1"""
_FORGET = "DELETE FROM sign_in_failures WHERE at <= $1"
_INSERT = """
INSERT INTO sessions (portal_id, id, user_id, secret_hash, created_at, expires_at)
SELECT $1, $2, $3, $4, $5, $6
WHERE EXISTS (SELECT 1 FROM users WHERE portal_id = $1 AND id = $3
              AND password_hash IS NOT DISTINCT FROM $7)"""
_TIDY = "DELETE FROM sessions WHERE portal_id = $1 AND expires_at < $2"
_END = "DELETE FROM sessions WHERE portal_id = $1 AND id = $2"
_END_ALL = "DELETE FROM sessions WHERE portal_id = $1"
_FIND = """
SELECT u.portal_id, u.id, u.email, u.role, u.password_hash, u.created_at,
       s.id, s.expires_at, s.secret_hash
FROM sessions s JOIN users u ON u.portal_id = s.portal_id AND u.id = s.user_id
WHERE s.portal_id = $1 AND s.id = $2"""


class SignInStore:
    """Reads and changes failures and sessions."""

    def __init__(self, database: Database, audit: AuditLog, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._ids = ids

    async def recent_failures(self, subject: str) -> RecentFailures:
        """Return how often `subject` has failed within the last minute."""
        rows = await self._database.fetch(_RECENT, subject, self._clock.now() - WINDOW)
        count, oldest = rows[0]
        return RecentFailures(count=int(count), fewer_at=(oldest or 0) + WINDOW)

    async def record_failure(self, *subjects: str) -> None:
        """Count one failure for each of `subjects`."""
        now = self._clock.now()

        async def work(tx: Transaction) -> None:
            await tx.execute(_FORGET, now - WINDOW)
            for subject in subjects:
                await tx.execute(_RECORD, subject, now)

        await self._database.transact(work)

    async def create_session(self, user: User, by: Actor) -> tuple[Session, Token]:
        """Start a session for a user who has just proved who they are.

        A password that was changed since ended all sessions: this one then never begins, and its
        token is worth nothing.
        """
        session, token = self.new_session(user)

        async def work(tx: Transaction) -> None:
            await self.begin(tx, session, token, by)

        await self._database.transact(work)
        return session, token

    def new_session(self, user: User) -> tuple[Session, Token]:
        """Return a session that is not stored yet, with its token."""
        token = new_token(TokenKind.SESSION, self._ids.new())
        expires_at = self._clock.now() + SESSION_LIFE
        return Session(id=token.id, user=user, expires_at=expires_at), token

    async def begin(
        self,
        tx: Transaction,
        session: Session,
        token: Token,
        by: Actor,
        link_id: str | None = None,
    ) -> bool:
        """Start a new session in `tx`, perhaps by a link; False if its user's password changed."""
        user, expires_at = session.user, session.expires_at
        began = expires_at - SESSION_LIFE
        await tx.lock(user.portal_id)
        await tx.execute(_TIDY, user.portal_id, began)
        row = (user.portal_id, session.id, user.id, token.hash(), began, expires_at)
        if not await tx.execute(_INSERT, *row, user.password_hash):
            return False
        how = {} if link_id is None else {"link": link_id}
        await self._audit.record(tx, _event("session.started", user, session.id, **how), by)
        return True

    async def find_session(self, portal_id: str, token: Token) -> Session | None:
        """Return the session that `token` is, if it is valid and has not ended."""
        rows = await self._database.fetch(_FIND, portal_id, token.id)
        matches = token.matches(rows[0][-1] if rows else bytes(32))
        if not rows or not matches:
            return None
        session = _read(rows[0])
        return session if self._clock.now() < session.expires_at else None

    async def end_session(self, user: User, session_id: str, by: Actor) -> None:
        """End a session of `user`; one that has ended already is no error."""

        async def work(tx: Transaction) -> None:
            if await tx.execute(_END, user.portal_id, session_id):
                await self._audit.record(tx, _event("session.ended", user, session_id), by)

        await self._database.transact(work)

    async def end_all(self, tx: Transaction, portal_id: str) -> None:
        """End all sessions of a portal in `tx`."""
        await tx.execute(_END_ALL, portal_id)


def _event(action: str, user: User, session_id: str, **more: object) -> Event:
    details: dict[str, object] = {"session": session_id, **more}
    return Event(portal_id=user.portal_id, action=action, subject=user.email, details=details)


def _read(row: Row) -> Session:
    return Session(user=read_user(row[:6]), id=row[6], expires_at=row[7])
