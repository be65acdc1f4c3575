"""When a delivery is tried again, and for how long.

The waits grow for an event and, after failures one after the other, for the whole receiver: one
event that it cannot take does not keep the others back, and a receiver that is down is not called
for each of them. All functions are pure.
"""

from smarthost.clock import MICROSECONDS

KEPT_SECONDS = 24 * 3600
"""How long an event is tried to be delivered."""

_WAIT_SECONDS = (5, 30, 120, 600, 1800, 3600)


def next_try(now: int, failures: int, share: float) -> int:
    """Return when to try again after this many failures, the last one now.

    `now` and the answer are microseconds since 1970. `share`, a random number from 0 to 1, moves
    the wait by up to a quarter either way, so that receivers are not all called at one moment.
    """
    seconds = _WAIT_SECONDS[min(failures, len(_WAIT_SECONDS)) - 1]
    return now + round(seconds * (0.75 + share / 2) * MICROSECONDS)


def oldest_kept(now: int, resumed_at: int | None) -> int:
    """Return the moment before which an event is too old to be tried again.

    A portal that was suspended has the whole time anew from `resumed_at` on, with all that waited.
    """
    oldest = now - KEPT_SECONDS * MICROSECONDS
    return oldest if resumed_at is None or resumed_at < oldest else 0
