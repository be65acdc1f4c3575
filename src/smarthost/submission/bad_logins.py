"""How many logins of an address were refused in the running minute, counted in this process.

A key has 256 random bits, so nobody guesses one: this keeps a client with a wrong one from asking
as fast as it can. A right key is taken all the same, since programs on one machine, or behind one
address, should not pay for a neighbour's mistake.
"""

from smarthost.clock import MICROSECONDS, Clock

_WINDOW = 60 * MICROSECONDS
_MOST_ADDRESSES = 100_000
_THE_REST = "the rest"


class BadLogins:
    """Counts. The counters of a minute are dropped whole when the next one begins."""

    def __init__(self, clock: Clock, at_most: int, *, enforced: bool) -> None:
        """`enforced` false: they are counted, and never too many."""
        self._clock = clock
        self._at_most = at_most
        self._enforced = enforced
        self._window = 0
        self._counts: dict[str, int] = {}

    def are_too_many(self, rate_key: str) -> bool:
        """Count one more of that address, and return whether these are more than it may have."""
        window = self._clock.now() // _WINDOW
        if window != self._window:
            self._window, self._counts = window, {}
        if rate_key not in self._counts and len(self._counts) >= _MOST_ADDRESSES:
            rate_key = _THE_REST
        count = self._counts[rate_key] = self._counts.get(rate_key, 0) + 1
        return self._enforced and count > self._at_most
