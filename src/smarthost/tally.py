"""Counts how often something happened within a fixed window of time, by subject.

In one process that is a table which is dropped whole when the next window begins. Processes that
are forked from one another can count together, in memory that they share: nobody could have each
of them give him a whole portion.
"""

import mmap
from collections.abc import Callable, Iterable
from typing import Protocol

_MOST_SUBJECTS = 100_000
_THE_REST = "the rest"

_SLOT_BITS = 16
_SLOTS = 1 << _SLOT_BITS
_ROWS = 2
_COUNT_BITS = 32
_HIGHEST = (1 << _COUNT_BITS) - 1


class Tally(Protocol):
    """Counters of one kind of thing."""

    def add(self, subject: str, window: int) -> int:
        """Count one more in `window`, a number that every window has another one of.

        Returns how many there are in it now, this one included.
        """
        ...


Tallies = Callable[[str], Tally]
"""Gives the tally of a name."""


class OwnTally:
    """Counts in this process; a subject too many shares the counter of all such."""

    def __init__(self) -> None:
        self._window = 0
        self._counts: dict[str, int] = {}

    def add(self, subject: str, window: int) -> int:
        """Count one more."""
        if window != self._window:
            self._window, self._counts = window, {}
        if subject not in self._counts and len(self._counts) >= _MOST_SUBJECTS:
            subject = _THE_REST
        count = self._counts[subject] = self._counts.get(subject, 0) + 1
        return count


class SharedTally:
    """Counts with all processes that are forked after it was made.

    Each subject has two counters that it may share with others, and the lower one counts: so it
    is mistaken for busier than it is only where both are shared (a count-min sketch). Two
    processes that write one counter at the same moment may count once; a limit that is kept to
    within a few of thousands is kept.
    """

    def __init__(self) -> None:
        # Pages that nobody counts in take no memory.
        self._memory = mmap.mmap(-1, _ROWS * _SLOTS * 8)
        self._slots = memoryview(self._memory).cast("Q")

    def add(self, subject: str, window: int) -> int:
        """Count one more."""
        # Text is hashed by a key that processes forked from one another share, and nobody knows.
        digest = hash(subject)
        here = (window & _HIGHEST) << _COUNT_BITS
        counts = []
        for row in range(_ROWS):
            slot = row * _SLOTS + (digest >> row * _SLOT_BITS) % _SLOTS
            value = self._slots[slot]
            count = (value & _HIGHEST) + 1 if value ^ here <= _HIGHEST else 1
            self._slots[slot] = here | min(count, _HIGHEST)
            counts.append(count)
        return min(counts)


class SharedTallies:
    """One `SharedTally` for each of some names; it is a `Tallies`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._tallies = {name: SharedTally() for name in names}

    def __call__(self, name: str) -> Tally:
        """Return the one of that name. Raises `KeyError`."""
        return self._tallies[name]


def own_tallies(_name: str) -> Tally:
    """Return a new tally of this process; it is a `Tallies`."""
    return OwnTally()
