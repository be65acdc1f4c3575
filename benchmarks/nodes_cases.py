"""What the parts of `nodes` share.

Which cases there are, how they take turns within a round, and what one is beside another.
"""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.engines import Engine
from benchmarks.installation import Installation, Made
from benchmarks.serving import tell

T = TypeVar("T")

RELAYS = tuple(f"127.0.0.{number}" for number in range(2, 12))
"""Where portals' relays are: ten of them, since a relay gets a share of a node's connections."""
PROCESSES = (1, 2, 4)
OCTETS = 2_048
"""Of each message."""


@dataclass(frozen=True, eq=False)
class Place:
    """An installation that several cases use."""

    engine: Engine
    installation: Installation
    made: Sequence[Made]


@dataclass(frozen=True, eq=False)
class Case:
    """One line of a table."""

    place: Place
    processes: int

    @property
    def name(self) -> str:
        """What it is called while it is measured."""
        return f"{self.place.engine.name} in {self.processes}"


def cases_of(places: Iterable[Place]) -> list[Case]:
    """Return each engine with each number of processes."""
    return [Case(place, processes) for place in places for processes in PROCESSES]


def turns(cases: Sequence[T], rounds: int, what: str) -> Iterator[T]:
    """Give each case once a round, and each first as often as last."""
    for number in range(1, rounds + 1):
        tell(f"{what}, round {number} of {rounds} …")
        yield from cases if number % 2 else reversed(cases)


def median_ratio(figures: Iterable[float], beside: Iterable[float]) -> float:
    """Return the median of what a round's figure is of that beside it in the same round."""
    return statistics.median(one / other for one, other in zip(figures, beside, strict=True))
