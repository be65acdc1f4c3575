"""The rows of webhooks: each portal's receiver, and how it is doing.

Its administrators set and remove it here. The events that wait for it, and what becomes of their
deliveries, are in `waiting/`.
"""

import os
from collections.abc import Callable
from urllib.parse import urlsplit

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Row, Transaction
from smarthost.secret import Secret
from smarthost.smtp_settings.sealing import Sealer
from smarthost.smtp_settings.writing.store import note_key
from smarthost.webhooks.model import FailedTry, NotTaken, Webhook
from smarthost.webhooks.signing import Receiver, new_secret
from smarthost.webhooks.waiting.store import deliver_all, forget_all

_WEBHOOK = """
SELECT portal_id, url, set_at, delivered_at, failed_at, failure, failed_status, dropped,
       switched_off_at
FROM webhooks WHERE portal_id = $1"""
_URL = "SELECT url FROM webhooks WHERE portal_id = $1"
_INSERT = """
INSERT INTO webhooks (portal_id, url, sealed_secret, set_at, failures, dropped)
VALUES ($1, $2, $3, $4, 0, 0)"""
_REPLACE = """
UPDATE webhooks
SET url = $2, sealed_secret = $3, set_at = $4, failures = 0, failed_at = NULL, failure = NULL,
    failed_status = NULL, dropped = 0, switched_off_at = NULL
WHERE portal_id = $1"""
_KEEP = """
UPDATE webhooks
SET set_at = $2, failures = 0, failed_at = NULL, failure = NULL, failed_status = NULL,
    dropped = 0, switched_off_at = NULL
WHERE portal_id = $1"""
_REMOVE = "DELETE FROM webhooks WHERE portal_id = $1"
_OLDEST = "SELECT created_at FROM webhook_events WHERE portal_id = $1 ORDER BY id LIMIT 1"


class WebhookStore:
    """Reads and changes webhooks."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        clock: Clock,
        key_ring: Sealer,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._key_ring = key_ring
        self._random_bytes = random_bytes

    async def of(self, portal_id: str) -> Webhook | None:
        """Return the portal's webhook, None if it has none."""
        rows = await self._database.fetch(_WEBHOOK, portal_id)
        if not rows:
            return None
        return _read(rows[0], await self._database.fetch(_OLDEST, portal_id))

    async def put(
        self, portal_id: str, url: str, by: Actor, *, renew_secret: bool
    ) -> tuple[Webhook, Secret | None]:
        """Make `url`, which was checked, the portal's receiver, and switch it on.

        The secret is returned where a new one was made: for a URL other than before, and with
        `renew_secret`. What waits is delivered at once.
        """
        now = self._clock.now()
        secret = new_secret(self._random_bytes)
        sealed = self._key_ring.seal(secret, Receiver(portal_id=portal_id, url=url))

        async def work(tx: Transaction) -> tuple[Webhook, bool]:
            await tx.lock(portal_id)
            before = await tx.fetch(_URL, portal_id)
            renewed = renew_secret or not before or before[0][0] != url
            if not before:
                await tx.execute(_INSERT, portal_id, url, sealed, now)
            elif renewed:
                await tx.execute(_REPLACE, portal_id, url, sealed, now)
            else:
                await tx.execute(_KEEP, portal_id, now)
            if renewed:
                await note_key(tx, sealed, now)
            await deliver_all(tx, portal_id, now)
            await self._record(tx, "webhook.set", url, by, portal_id, new_secret=renewed)
            oldest = await tx.fetch(_OLDEST, portal_id)
            return _read((await tx.fetch(_WEBHOOK, portal_id))[0], oldest), renewed

        webhook, renewed = await self._database.transact(work)
        return webhook, secret if renewed else None

    async def remove(self, portal_id: str, by: Actor) -> bool:
        """Remove the webhook with all that waits for it; False if there was none."""

        async def work(tx: Transaction) -> bool:
            await tx.lock(portal_id)
            before = await tx.fetch(_URL, portal_id)
            if before:
                await tx.execute(_REMOVE, portal_id)
                await self._record(tx, "webhook.removed", before[0][0], by, portal_id)
            return bool(before)

        removed = await self._database.transact(work)
        if removed:
            await forget_all(self._database, portal_id)
        return removed

    async def _record(
        self, tx: Transaction, action: str, url: str, by: Actor, portal_id: str, **details: object
    ) -> None:
        # The host alone: the rest of a URL can be as good as a password.
        host = urlsplit(url).hostname or ""
        event = Event(portal_id=portal_id, action=action, subject=host, details=details)
        await self._audit.record(tx, event, by)


def _read(row: Row, oldest: list[Row]) -> Webhook:
    failed = None
    if row[4] is not None:
        failed = FailedTry(at=row[4], failure=NotTaken(row[5]), status=row[6])
    return Webhook(
        portal_id=row[0],
        url=row[1],
        set_at=row[2],
        delivered_at=row[3],
        last_failure=failed,
        dropped=row[7],
        switched_off_at=row[8],
        waiting_since=oldest[0][0] if oldest else None,
    )
