"""Identifiers that anybody may see.

They are UUIDs of version 7 (RFC 9562 section 5.7): to the millisecond their order is the order of
making, so indexes stay compact, and they carry 74 random bits, so nobody guesses a neighbour's.
"""

import os
from collections.abc import Callable

from smarthost.clock import Clock

_TIME = (1 << 48) - 1
_VERSION = "7"
_VARIANTS = "89ab"  # two bits that are fixed, and two that are not
_RANDOM_OCTETS = 10
_AT_ONCE = 400


def before_ids_of(at: int) -> str:
    """Return what comes just before all ids that are made from the moment `at` on.

    `at` is in microseconds since 1970; an id tells milliseconds.
    """
    milliseconds = f"{min(max(at // 1_000, 0), _TIME):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"


def made_at(made: str) -> int:
    """Return when an id was made: microseconds since 1970, exact to the millisecond."""
    return int(made[:8] + made[9:13], 16) * 1_000


class Ids:
    """Makes identifiers from a clock and a source of random octets.

    Every request has one, so the octets are asked of the system for many at once.
    """

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._pool: list[bytes] = []

    def new(self) -> str:
        """Return a new UUIDv7 in its text form of 36 characters."""
        milliseconds = f"{(self._clock.now() // 1_000) & _TIME:012x}"
        octets = self._random()
        random = octets.hex()
        variant = _VARIANTS[octets[-1] & 3]
        return (
            f"{milliseconds[:8]}-{milliseconds[8:]}-{_VERSION}{random[:3]}-"
            f"{variant}{random[3:6]}-{random[6:18]}"
        )

    def _random(self) -> bytes:
        # `pop` hands each octet out once, whichever threads ask at the same moment.
        try:
            return self._pool.pop()
        except IndexError:
            octets = self._random_bytes(_RANDOM_OCTETS * _AT_ONCE)
            starts = range(0, len(octets), _RANDOM_OCTETS)
            made = [octets[start : start + _RANDOM_OCTETS] for start in starts]
            first = made.pop()
            self._pool.extend(made)
            return first
