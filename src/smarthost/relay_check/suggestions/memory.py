"""What was found for a domain, remembered for a while.

Whoever asks for a domain that is being looked up waits for the same answer, and whoever gives up
ends it for nobody else. The number of domains is bounded: the oldest is forgotten first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from smarthost.clock import Clock
from smarthost.relay_check.suggestions.model import Found

KEEP_SECONDS = 600.0
KEEP_FAILURE_SECONDS = 60.0
MOST_DOMAINS = 1000


class Looked(NamedTuple):
    """What came of a look-up."""

    found: Sequence[Found]
    complete: bool
    """Every source has answered in time."""


class _Kept(NamedTuple):
    until: float
    found: Sequence[Found]


class Memory:
    """Remembers by domain; it belongs to one event loop."""

    def __init__(
        self,
        look_up: Callable[[str], Awaitable[Looked]],
        clock: Clock,
        most_domains: int = MOST_DOMAINS,
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._most_domains = most_domains
        self._kept: dict[str, _Kept] = {}
        self._asked: dict[str, asyncio.Task[Sequence[Found]]] = {}

    async def of(self, domain: str) -> Sequence[Found]:
        """Return what is known of `domain`, looked up where it is not known yet or any more.

        Raises what the look-up raises, and remembers nothing then.
        """
        kept = self._kept.get(domain)
        if kept is not None and self._clock.monotonic() < kept.until:
            return kept.found
        asked = self._asked.get(domain)
        if asked is None:
            asked = self._asked[domain] = asyncio.create_task(self._ask(domain))
        return await asyncio.shield(asked)

    async def _ask(self, domain: str) -> Sequence[Found]:
        try:
            found, complete = await self._look_up(domain)
        finally:
            del self._asked[domain]
        keep = KEEP_SECONDS if found and complete else KEEP_FAILURE_SECONDS
        self._kept.pop(domain, None)
        self._kept[domain] = _Kept(self._clock.monotonic() + keep, found)
        if len(self._kept) > self._most_domains:
            del self._kept[next(iter(self._kept))]
        return found
