"""Passwords of people: Argon2id, off the event loop, two at once.

Each hash takes 19 MiB and some 20 ms of a core on purpose (RFC 9106, with the least that OWASP
advises). Two threads bound both, so that a flood of sign-ins cannot starve the service.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import argon2

from smarthost.portals.model import PortalsError
from smarthost.secret import Secret

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1000
"""Characters; NIST SP 800-63B-3 asks for at least 8 and no rules about their kinds."""


class PasswordError(PortalsError):
    """The text cannot be somebody's password; the message never quotes it."""


def check_password(password: Secret) -> None:
    """Return if `password` may become somebody's. Raises `PasswordError`."""
    if not SHORTEST_PASSWORD <= len(password.reveal()) <= LONGEST_PASSWORD:
        raise PasswordError(
            f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters."
        )


class Passwords:
    """Hashes and verifies."""

    def __init__(self) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
        self._nobody: str | None = None

    async def hash(self, password: Secret) -> str:
        """Return the text to store for a new password."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._hash, password)

    async def verify(self, stored: str | None, password: Secret) -> bool:
        """Whether `password` is the one that `stored` was made from.

        Without a stored hash the same work is done, so that the time does not tell which
        users there are.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._verify, stored, password)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _hash(self, password: Secret) -> str:
        return self._hasher.hash(password.reveal())

    def _verify(self, stored: str | None, password: Secret) -> bool:
        if self._nobody is None:
            self._nobody = self._hasher.hash("")
        try:
            self._hasher.verify(stored or self._nobody, password.reveal())
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False
        return bool(stored)
