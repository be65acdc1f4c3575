"""Proving who one is with an e-mail address and a password.

Wrong tries are counted by address and by user before anything is hashed, so that guessing is
slow and costs the service nothing. Tries of one user, and of one address, are taken one after
the other: in parallel, all would pass before the first is counted.
"""

import asyncio
from contextlib import AsyncExitStack
from weakref import WeakValueDictionary

from smarthost.audit.model import Actor
from smarthost.mail.address import AddressError, parse_address
from smarthost.portals.model import Portal, User
from smarthost.portals.sign_in.model import Session, TooManyFailuresError
from smarthost.portals.sign_in.passwords import LONGEST_PASSWORD, Passwords
from smarthost.portals.sign_in.store import SignInStore
from smarthost.portals.store import PortalStore, email_key
from smarthost.portals.tokens import Token
from smarthost.secret import Secret

MOST_FAILURES = 5
"""Wrong passwords a minute, for one user and from one address."""

_LONGEST_EMAIL = 254


class SignIn:
    """Checks passwords and starts sessions."""

    def __init__(self, users: PortalStore, store: SignInStore, passwords: Passwords) -> None:
        self._users = users
        self._store = store
        self._passwords = passwords
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def check(
        self, portal: Portal, email: str, password: Secret, address: str
    ) -> User | None:
        """Return the user whose password this is, None if it is wrong or there is no such user.

        `address` is what the client's tries are counted by. Raises `TooManyFailuresError`.
        """
        if len(email) > _LONGEST_EMAIL or len(password.reveal()) > LONGEST_PASSWORD:
            return None
        email = _stored_form(email)
        subjects = (f"address {address}", f"user {portal.id} {email_key(email)}")
        async with AsyncExitStack() as turns:
            for subject in subjects:
                lock = self._queues.setdefault(subject, asyncio.Lock())
                await turns.enter_async_context(lock)
            await self._refuse_too_many(subjects)
            user = await self._users.user(portal.id, email)
            stored = user.password_hash if user else None
            if await self._passwords.verify(stored, password):
                return user
            await self._store.record_failure(*subjects)
            return None

    async def start_session(self, user: User, by: Actor) -> tuple[Session, Token]:
        """Start a session for a user whom `check` has returned."""
        return await self._store.create_session(user, by)

    async def _refuse_too_many(self, subjects: tuple[str, ...]) -> None:
        for subject in subjects:
            recent = await self._store.recent_failures(subject)
            if recent.count >= MOST_FAILURES:
                raise TooManyFailuresError(until=recent.fewer_at)


def _stored_form(email: str) -> str:
    """Return an address in the form that users are stored in, other text as it is."""
    try:
        return str(parse_address(email))
    except AddressError:
        return email
