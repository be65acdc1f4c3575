"""How many requests a user or an address may make: a fixed window, counted in this process.

The counters of a window are dropped whole when the next begins, so they need no sweeping. The
number of subjects is bounded; those beyond it share one counter.
"""

from http import HTTPStatus

import msgspec

from smarthost.clock import MICROSECONDS, Clock
from smarthost.web.errors import RequestError, seconds_until

REQUESTS_A_MINUTE = 1500
_MOST_SUBJECTS = 100_000
_THE_REST = "the rest"


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """Where a subject stands within the running window, after this request."""

    limit: int
    remaining: int
    reset: int
    """Unix seconds: when the next window begins."""
    exceeded: bool

    def check(self, now: int) -> None:
        """Refuse the request if it is one too many; `now` is in microseconds since 1970.

        Raises `RequestError`.
        """
        if self.exceeded:
            wait = seconds_until(self.reset * MICROSECONDS, now)
            raise RequestError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"Too many requests: at most {self.limit} a minute. Wait {wait} seconds.",
                headers={"Retry-After": str(wait)},
            )


class RateLimit:
    """Counts requests by subject. With `enforced` false it counts and refuses nothing."""

    def __init__(
        self,
        clock: Clock,
        *,
        enforced: bool,
        limit: int = REQUESTS_A_MINUTE,
        window_seconds: int = 60,
    ) -> None:
        self._clock = clock
        self._enforced = enforced
        self._limit = limit
        self._length = window_seconds * MICROSECONDS
        self._window = 0
        self._counts: dict[str, int] = {}

    def take(self, subject: str) -> Quota:
        """Count one request of `subject`."""
        now = self._clock.now()
        window = now - now % self._length
        if window != self._window:
            self._window, self._counts = window, {}
        if subject not in self._counts and len(self._counts) >= _MOST_SUBJECTS:
            subject = _THE_REST
        count = self._counts[subject] = self._counts.get(subject, 0) + 1
        return Quota(
            limit=self._limit,
            remaining=max(0, self._limit - count),
            reset=(window + self._length) // MICROSECONDS,
            exceeded=self._enforced and count > self._limit,
        )
