"""A webhook's secret under a new key, as passwords are brought there.

The blob is replaced only if it is still the one that was opened.
"""

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.smtp_settings.resealing.store import Resealed, resealed
from smarthost.smtp_settings.sealing import Sealer, key_of
from smarthost.smtp_settings.writing.store import note_key
from smarthost.webhooks.signing import Receiver

_UNDER_ANOTHER_KEY = """
SELECT url, sealed_secret FROM webhooks
WHERE portal_id = $1 AND substr(sealed_secret, 2, 8) <> $2"""
_REPLACE = """
UPDATE webhooks SET sealed_secret = $3 WHERE portal_id = $1 AND sealed_secret = $2"""


class SecretResealing:
    """Brings webhooks' secrets under the ring's active key."""

    def __init__(self, database: Database, audit: AuditLog, clock: Clock, ring: Sealer) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._ring = ring

    async def reseal(self, portal_id: str, by: Actor) -> Resealed:
        """Seal the portal's secret anew, if it has one that is under another key."""
        active = bytes.fromhex(self._ring.active)
        rows = await self._database.fetch(_UNDER_ANOTHER_KEY, portal_id, active)
        if not rows:
            return Resealed()
        url, blob = rows[0]
        anew = resealed(self._ring, blob, Receiver(portal_id=portal_id, url=url))
        if anew is None:
            return Resealed(unreadable=frozenset({key_of(blob)}), left=1)

        async def work(tx: Transaction) -> int:
            changed = await tx.execute(_REPLACE, portal_id, blob, anew)
            if changed:
                await note_key(tx, anew, self._clock.now())
                event = Event(portal_id=portal_id, action="webhook.resealed", subject=key_of(anew))
                await self._audit.record(tx, event, by)
            return changed

        return Resealed(sealed=await self._database.transact(work))
