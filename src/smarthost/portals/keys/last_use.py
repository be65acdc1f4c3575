"""When keys were last used: noted in memory at every request, written in batches.

The time is for people who clean up old keys, so that a request need not wait for it and a crash
may lose the last half minute of it.
"""

from smarthost.clock import MICROSECONDS
from smarthost.portals.keys.model import ApiKey
from smarthost.portals.keys.store import KeyStore

STEP = 60 * MICROSECONDS
"""How far apart two written times of one key are, at the least."""

_MOST_NOTED = 100_000
# Few, since a unit of work holds up whatever else is to be read or saved.
_BATCH = 50


class LastUse:
    """Collects and writes."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._noted: dict[tuple[str, str], int] = {}

    def note(self, key: ApiKey, now: int) -> None:
        """Remember that `key` was used at `now`, unless a time within the minute is stored."""
        if key.last_used_at is not None and now - key.last_used_at < STEP:
            return
        if len(self._noted) < _MOST_NOTED:
            self._noted[(key.user.portal_id, key.id)] = now

    async def flush(self) -> None:
        """Write what was noted. Raises `StoreUnavailableError`, which loses these notes."""
        noted, self._noted = list(self._noted.items()), {}
        for start in range(0, len(noted), _BATCH):
            await self._store.record_uses(noted[start : start + _BATCH])
