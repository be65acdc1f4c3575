"""Notices when the machine's clock is set, and tells how old a message is all the same.

Times in the store are those of that clock; how much time has passed is known only to the
monotonic one. Where the two part, waiting mail must not wait longer, and none may expire early.
What was noticed is forgotten with the process: after a restart the clock is believed.
"""

from collections import deque
from typing import NamedTuple

from smarthost.clock import MICROSECONDS, Clock

JUMP_SECONDS = 30.0
"""A smaller difference is a clock that is being put right little by little."""

# Both clocks are rounded to a microsecond before they are compared. What is taken to have come
# later than it has is thought younger, never older.
_ROUNDING = 10

# A clock that stands still jumps back each half minute: these are eight hours of it.
_MOST = 1_000


class _Jump(NamedTuple):
    """By how much the clock was set, and what it said before and after.

    It was at some time since the look before, so that both are bounds.
    """

    by: int
    before_at_most: int
    after_at_least: int


class Jumps:
    """Compares both clocks whenever it is asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._now_offset()
        self._looked = clock.monotonic()
        self._met: deque[_Jump] = deque(maxlen=_MOST)

    def look(self) -> int:
        """Return by how many microseconds the clock was set since the last look.

        0 for no jump, more for one into the future, less for one into the past.
        """
        by = self._missed()
        if by:
            self._offset += by
            self._met.append(self._jump(by))
        self._looked = self._clock.monotonic()
        return by

    def age(self, accepted_at: int) -> int:
        """Return for how many microseconds a message has been here, as far as is known.

        Where the clock has said `accepted_at` several times, the last one counts.
        """
        age = end = self._clock.now()
        missed = self._missed()
        for jump in reversed([*self._met, self._jump(missed)] if missed else self._met):
            if jump.after_at_least - _ROUNDING <= accepted_at <= end + _ROUNDING:
                break
            age -= jump.by
            end = jump.before_at_most
        return age - accepted_at

    def _missed(self) -> int:
        by = self._now_offset() - self._offset
        return by if abs(by) > JUMP_SECONDS * MICROSECONDS else 0

    def _jump(self, by: int) -> _Jump:
        now = self._clock.now()
        since = round((self._clock.monotonic() - self._looked) * MICROSECONDS)
        return _Jump(by, now - by, now - since)

    def _now_offset(self) -> int:
        return self._clock.now() - round(self._clock.monotonic() * MICROSECONDS)
