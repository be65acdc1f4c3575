"""Renews the leases of what a node carries, so that the others leave it alone.

Most of what is claimed is done before the first look. Where one process delivers alone nobody else
ends a lease, and what it meets of its own it renews by the way.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable

import structlog

from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import StoreUnavailableError
from smarthost.mail_queue.model import Claim, Kind
from smarthost.mail_queue.store import QueueStore

RENEW_SECONDS = 5.0
"""How often, and from which age on: a third of the time for which a portal is left to a node."""

log = structlog.get_logger("smarthost.mail_queue")


class Renewal:
    """Belongs to one worker."""

    def __init__(self, store: QueueStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self, carried: Callable[[], Iterable[Claim]]) -> None:
        """Renew the leases of what is `carried` each time, until cancelled."""
        if self._store.node is None:
            return
        while True:
            await self._clock.sleep(RENEW_SECONDS)
            await self._renew(carried())

    async def _renew(self, carried: Iterable[Claim]) -> None:
        old = self._clock.now() - round(RENEW_SECONDS * MICROSECONDS)
        found: dict[tuple[str, Kind], set[str]] = defaultdict(set)
        for claim in carried:
            if claim.started_at <= old:
                found[claim.portal_id, claim.kind].add(claim.id)
        await asyncio.gather(*(self._renew_some(*whose, names) for whose, names in found.items()))

    async def _renew_some(self, portal_id: str, kind: Kind, claims: set[str]) -> None:
        try:
            await self._store.renew(portal_id, kind, claims)
        except StoreUnavailableError as error:
            log.warning("leases not renewed", reason=str(error), portal_id=portal_id)
