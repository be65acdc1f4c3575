"""The processes that serve one installation together, as each of them sees the others."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from smarthost.metrics.families import Family
from smarthost.tally import Tallies, own_tallies

TALLIES = ("users", "addresses", "checks", "suggestions", "bad logins")
"""What all processes of a crew count together."""


class Crew(Protocol):
    """All that serve together."""

    @property
    def tallies(self) -> Tallies:
        """The counters that they share, by the names in `TALLIES`."""
        ...

    async def families(self) -> Mapping[int, Sequence[Family]] | None:
        """Return what each has counted, by its number; None where there is one alone."""
        ...


class Alone:
    """A crew of one."""

    @property
    def tallies(self) -> Tallies:
        """Counters of this process."""
        return own_tallies

    async def families(self) -> None:
        """Return None: nobody is to be asked."""
