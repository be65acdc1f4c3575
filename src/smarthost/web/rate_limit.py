"""How many requests a user or an address may make within a fixed window."""

from http import HTTPStatus

import msgspec

from smarthost.clock import MICROSECONDS, Clock
from smarthost.tally import Tally
from smarthost.web.errors import RequestError, seconds_until

REQUESTS_A_MINUTE = 1500


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
        tally: Tally,
        *,
        enforced: bool,
        limit: int = REQUESTS_A_MINUTE,
        window_seconds: int = 60,
    ) -> None:
        self._clock = clock
        self._tally = tally
        self._enforced = enforced
        self._limit = limit
        self._length = window_seconds * MICROSECONDS

    def take(self, subject: str) -> Quota:
        """Count one request of `subject`."""
        window = self._clock.now() // self._length
        count = self._tally.add(subject, window)
        return Quota(
            limit=self._limit,
            remaining=max(0, self._limit - count),
            reset=(window + 1) * self._length // MICROSECONDS,
            exceeded=self._enforced and count > self._limit,
        )
