"""Suggests settings for an e-mail address, the likeliest first.

Where the table of providers knows the domain, nobody is asked. Otherwise all sources are, side by
side, with one deadline for all of them, and what was found in time counts. A relay that the
operator's policy would refuse is no suggestion.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from smarthost.clock import Clock
from smarthost.providers import Providers
from smarthost.relay_check.suggestions.domains import may_be_asked
from smarthost.relay_check.suggestions.memory import Looked, Memory
from smarthost.relay_check.suggestions.model import (
    Confidence,
    Found,
    Source,
    Suggestion,
    suggestion,
)
from smarthost.relay_check.suggestions.table import by_domain, by_host, completed
from smarthost.smtp.egress import EgressError, Policy, Resolver, destinations

DEADLINE_SECONDS = 8.0
"""For all sources together, with the look-ups of the hosts that they name."""
AT_ONCE = 64
"""How many sources are asked at the same time; the others wait within their deadline."""
MOST_OF_A_SOURCE = 8
"""How many relays are taken of what one source names."""

Ask = Callable[[str], Awaitable[Sequence[Found]]]
"""Asks one source about a domain in A-labels; it raises nothing that can be expected."""

_RANKS = {one: rank for kind in (Confidence, Source) for rank, one in enumerate(kind)}


class Suggest:
    """Finds settings for addresses; it belongs to one event loop."""

    def __init__(
        self,
        asked: Sequence[Ask],
        policy: Policy,
        resolver: Resolver,
        clock: Clock,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """`policy` says where relays may be, and is asked with the addresses of `resolver`."""
        self._asked = asked
        self._policy = policy
        self._resolver = resolver
        self._deadline_seconds = deadline_seconds
        self._room = asyncio.Semaphore(AT_ONCE)
        self._memory = Memory(self._look_up, clock)

    async def of(self, domain: str, local_part: str | None = None) -> list[Suggestion]:
        """Return suggestions for an address, best first; none where nothing is known.

        `domain` is as in `mail.address.Address`. Without `local_part` it stands alone, and user
        names that are made of one are left open.
        """
        found: Sequence[Found] = by_domain(Providers.load(), domain)
        if not found and may_be_asked(domain, self._policy):
            found = await self._memory.of(domain)
        return [suggestion(one, domain, local_part) for one in found]

    def of_host(self, host: str, domain: str, local_part: str) -> list[Suggestion]:
        """Return how mail of an address is handed to the relay `host`, as its provider has it.

        `host` is as `mail.host.parse_host` gives it. Nobody is asked: none where the table of
        providers does not know it.
        """
        found = by_host(Providers.load(), host)
        return [suggestion(one, domain, local_part) for one in found]

    async def _look_up(self, domain: str) -> Looked:
        proved: list[_Proved] = []
        sources = {
            asyncio.create_task(self._see(domain, ask, proved.append)) for ask in self._asked
        }
        try:
            ended, late = await asyncio.wait(sources, timeout=self._deadline_seconds)
        finally:
            for source in sources:
                source.cancel()
            await asyncio.wait(sources)
        for source in ended:
            source.result()
        return Looked(_merged(proved), complete=not late)

    async def _see(self, domain: str, ask: Ask, proved: Callable[["_Proved"], None]) -> None:
        """Tell `proved` of each relay that one source names, as soon as it may be suggested."""

        async def prove(place: int, found: Found) -> None:
            if await self._is_open(found):
                proved(_Proved(completed(Providers.load(), found, domain), place))

        async with self._room:
            named = list(await ask(domain))[:MOST_OF_A_SOURCE]
            await asyncio.gather(*(prove(place, one) for place, one in enumerate(named)))

    async def _is_open(self, found: Found) -> bool:
        try:
            await destinations(found.host, self._policy, self._resolver, port=found.port)
        except EgressError:
            return False
        return True


class _Proved(NamedTuple):
    found: Found
    place: int
    """Where its source has it."""

    @property
    def rank(self) -> tuple[int, int, int]:
        return _RANKS[self.found.confidence], _RANKS[self.found.source], self.place


def _merged(proved: Iterable[_Proved]) -> Sequence[Found]:
    """Return each relay once, the best first, as its best source has it.

    Which user name it takes is what the best source says that says anything.
    """
    merged: dict[tuple[str, int, bool], Found] = {}
    for found, _ in sorted(proved, key=lambda one: one.rank):
        best = merged.setdefault(found.place, found)
        if best.user_name is None:
            merged[found.place] = msgspec.structs.replace(best, user_name=found.user_name)
    return tuple(merged.values())
