"""How many checks of settings a user may run: one at a time, and a few in a quarter of an hour.

A check connects to whatever host was typed, so it must not become a means to knock on many. A
user is the person, whichever key is shown. That one runs is known in its own process alone.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus

from smarthost.clock import MICROSECONDS, Clock
from smarthost.tally import Tally
from smarthost.web.errors import RequestError, seconds_until
from smarthost.web.rate_limit import RateLimit

MOST_CHECKS = 20
WINDOW_MINUTES = 15

# Twice what a check may take: only one whose end was never told stands for so long.
_LONGEST_SECONDS = 60.0
_RETRY_SECONDS = 5


class CheckLimit:
    """Counts checks by user. With `enforced` false nobody is refused."""

    def __init__(self, clock: Clock, tally: Tally, *, enforced: bool) -> None:
        self._clock = clock
        self._enforced = enforced
        self._begun = RateLimit(
            clock, tally, enforced=enforced, limit=MOST_CHECKS, window_seconds=WINDOW_MINUTES * 60
        )
        self._until: dict[str, float] = {}

    def take(self, user_id: str) -> AbstractContextManager[None]:
        """Count a check; it runs from now on until what is returned is left.

        Raises `RequestError` (429) where another one runs, or there were too many.
        """
        now = self._clock.monotonic()
        if self._enforced and now < self._until.get(user_id, now):
            raise _refused("Another check of yours is running. Wait for its end.", _RETRY_SECONDS)
        quota = self._begun.take(user_id)
        if quota.exceeded:
            wait = seconds_until(quota.reset * MICROSECONDS, self._clock.now())
            raise _refused(
                f"Too many checks: at most {MOST_CHECKS} in {WINDOW_MINUTES} minutes. "
                "Wait and try again.",
                wait,
            )
        until = self._until[user_id] = now + _LONGEST_SECONDS
        return self._running(user_id, until)

    @contextmanager
    def _running(self, user_id: str, until: float) -> Iterator[None]:
        try:
            yield
        finally:
            if self._until.get(user_id) == until:
                del self._until[user_id]


def _refused(message: str, wait: int) -> RequestError:
    return RequestError(HTTPStatus.TOO_MANY_REQUESTS, message, headers={"Retry-After": str(wait)})
