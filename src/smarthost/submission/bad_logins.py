"""How many logins of an address were refused in the running minute.

A key has 256 random bits, so nobody guesses one: this keeps a client with a wrong one from asking
as fast as it can. A right key is taken all the same, since programs on one machine, or behind one
address, should not pay for a neighbour's mistake.
"""

from smarthost.clock import MICROSECONDS, Clock
from smarthost.tally import Tally

_WINDOW = 60 * MICROSECONDS


class BadLogins:
    """Counts."""

    def __init__(self, clock: Clock, tally: Tally, at_most: int, *, enforced: bool) -> None:
        """`enforced` false: they are counted, and never too many."""
        self._clock = clock
        self._tally = tally
        self._at_most = at_most
        self._enforced = enforced

    def are_too_many(self, rate_key: str) -> bool:
        """Count one more of that address, and return whether these are more than it may have."""
        count = self._tally.add(rate_key, self._clock.now() // _WINDOW)
        return self._enforced and count > self._at_most
