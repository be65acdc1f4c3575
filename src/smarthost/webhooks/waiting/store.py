"""The rows of events that a portal's receiver has not taken yet, and when it is called next.

Events are written in the transaction of the outcome that they tell of, so that none is told that
did not happen and none is lost. A portal without a webhook costs that transaction one read.
"""

from collections.abc import Sequence

import msgspec

from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.ids import Ids
from smarthost.mail_queue.accepted.model import Details
from smarthost.mail_queue.model import Ended
from smarthost.portals.suspension.store import standing_of
from smarthost.smtp_settings.sealing import SealBrokenError, Sealer
from smarthost.webhooks.events import Told, by_type, payload
from smarthost.webhooks.model import FailedTry, Target, Waiting
from smarthost.webhooks.schedule import next_try, oldest_kept
from smarthost.webhooks.signing import Receiver

_TO_BE_TOLD = """
SELECT m.accepted_at, m.sender, m.details, w.due_at
FROM webhooks w JOIN messages m ON m.portal_id = w.portal_id
WHERE w.portal_id = $1 AND m.portal_id = $1 AND m.id = $2 AND w.switched_off_at IS NULL"""
_INSERT_EVENT = """
INSERT INTO webhook_events (portal_id, id, created_at, due_at, attempts_count, payload)
VALUES ($1, $2, $3, $3, 0, $4)"""

_DUE_PORTALS = "SELECT portal_id FROM webhooks WHERE due_at <= $1 ORDER BY due_at LIMIT $2"
_TARGET = """
SELECT w.url, w.sealed_secret, w.set_at, w.failures, p.resumed_at
FROM webhooks w JOIN portals p ON p.id = w.portal_id
WHERE w.portal_id = $1 AND w.switched_off_at IS NULL AND p.suspended_at IS NULL"""
_DUE_EVENTS = """
SELECT id, created_at, attempts_count, payload FROM webhook_events
WHERE portal_id = $1 AND due_at <= $2 ORDER BY due_at, id LIMIT $3"""
_FIRST_DUE = "SELECT min(due_at) FROM webhook_events WHERE portal_id = $1"
# No receiver of a suspended portal is called.
_SET_DUE = """
UPDATE webhooks
SET due_at = (
    SELECT CASE WHEN suspended_at IS NULL THEN CAST($2 AS BIGINT) END FROM portals WHERE id = $1
)
WHERE portal_id = $1 AND switched_off_at IS NULL"""
_ALL_DUE = "UPDATE webhook_events SET due_at = $2 WHERE portal_id = $1 AND due_at > $2"
_TAKEN = "DELETE FROM webhook_events WHERE portal_id = $1 AND id = $2"
_PUT_OFF = """
UPDATE webhook_events SET attempts_count = attempts_count + 1, due_at = $3
WHERE portal_id = $1 AND id = $2"""
_SUCCEEDED = """
UPDATE webhooks SET delivered_at = $3, failures = 0 WHERE portal_id = $1 AND set_at = $2"""
_FAILED = """
UPDATE webhooks
SET failures = failures + 1, failed_at = $3, failure = $4, failed_status = $5
WHERE portal_id = $1 AND set_at = $2"""
_SWITCH_OFF = """
UPDATE webhooks
SET switched_off_at = $3, failed_at = $3, failure = $4, failed_status = $5, due_at = NULL
WHERE portal_id = $1 AND set_at = $2"""
_FORGET = """
DELETE FROM webhook_events WHERE portal_id = $1 AND id IN (
    SELECT id FROM webhook_events WHERE portal_id = $1 AND due_at < $2 ORDER BY due_at LIMIT $3
)"""
_FORGET_ALL = "DELETE FROM webhook_events WHERE portal_id = $1"
_COUNT_DROPPED = "UPDATE webhooks SET dropped = dropped + $2 WHERE portal_id = $1"

_TOGETHER = 500
"""How many events one transaction forgets at the most."""

_ALL_TIMES = 1 << 62


class WaitingEvents:
    """Reads and changes events, and what a delivery leaves of itself on its webhook."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, key_ring: Sealer) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._key_ring = key_ring

    async def note(
        self, tx: Transaction, portal_id: str, message_id: str, ended: Sequence[Ended]
    ) -> None:
        """Write the events of a message's change in `tx`; nothing where nobody is to be told."""
        rows = await tx.fetch(_TO_BE_TOLD, portal_id, message_id)
        if not rows:
            return
        accepted_at, sender, details, due_at = rows[0]
        now = self._clock.now()
        told = Told(
            message_id=message_id,
            accepted_at=accepted_at,
            sender=sender,
            details=msgspec.json.decode(details, type=Details),
        )
        events = by_type(ended)
        for kind, about in events.items():
            octets = payload(kind, told, about, now)
            await tx.execute(_INSERT_EVENT, portal_id, self._ids.new(), now, octets)
        if events and due_at is None:
            await tx.execute(_SET_DUE, portal_id, now)

    async def give_up_all(self, tx: Transaction, portal_id: str) -> int:
        """Forget in `tx` what waits for the portal's receiver; return how many events that were.

        For a store that comes out of a back-up: the receiver may have had them all since.
        """
        dropped = await tx.execute(_FORGET_ALL, portal_id)
        await tx.execute(_SET_DUE, portal_id, None)
        await tx.execute(_COUNT_DROPPED, portal_id, dropped)
        return dropped

    async def due_portals(self, at_most: int) -> list[str]:
        """Return portals whose receivers are to be called, the one that waits longest first."""
        rows = await self._database.fetch(_DUE_PORTALS, self._clock.now(), at_most)
        return [row[0] for row in rows]

    async def target(self, portal_id: str) -> Target | None:
        """Return where the portal's events go now, None where they go nowhere."""
        rows = await self._database.fetch(_TARGET, portal_id)
        if not rows:
            return None
        url, sealed, set_at, failures, resumed_at = rows[0]
        try:
            secret = self._key_ring.open(sealed, Receiver(portal_id=portal_id, url=url))
        except SealBrokenError:
            secret = None
        return Target(
            portal_id=portal_id,
            url=url,
            secret=secret,
            set_at=set_at,
            failures=failures,
            resumed_at=resumed_at,
        )

    async def is_suspended(self, portal_id: str) -> bool:
        """Tell whether no receiver of the portal may be called."""
        return (await standing_of(self._database, portal_id)).suspended_at is not None

    async def due_events(self, portal_id: str, at_most: int) -> list[Waiting]:
        """Return the portal's events that are due, in the order in which they are delivered."""
        now = self._clock.now()
        return [
            Waiting(id=row[0], created_at=row[1], attempts=row[2], payload=row[3])
            for row in await self._database.fetch(_DUE_EVENTS, portal_id, now, at_most)
        ]

    async def taken(self, target: Target, event: Waiting) -> None:
        """Write down that the receiver has an event."""
        now = self._clock.now()

        async def work(tx: Transaction) -> None:
            await tx.lock(target.portal_id)
            await tx.execute(_TAKEN, target.portal_id, event.id)
            if await tx.execute(_SUCCEEDED, target.portal_id, target.set_at, now):
                await _settle(tx, target.portal_id, now)

        await self._database.transact(work)

    async def put_off(
        self, target: Target, event: Waiting, failed: FailedTry, share: float
    ) -> int:
        """Write down that a delivery failed; return how many events were given up, being too old.

        The next one waits for a time that grows with the failures; `share` is from 0 to 1.
        """
        portal_id = target.portal_id
        oldest = oldest_kept(failed.at, target.resumed_at)
        too_old = event.created_at < oldest
        event_due = next_try(failed.at, event.attempts + 1, share)
        pause = next_try(failed.at, target.failures + 1, share)

        async def work(tx: Transaction) -> None:
            await tx.lock(portal_id)
            if too_old:
                await tx.execute(_TAKEN, portal_id, event.id)
            else:
                await tx.execute(_PUT_OFF, portal_id, event.id, event_due)
            row = (failed.at, failed.failure.value, failed.status)
            if await tx.execute(_FAILED, portal_id, target.set_at, *row):
                await _settle(tx, portal_id, pause)

        await self._database.transact(work)
        dropped = int(too_old) + await _forget(self._database, portal_id, oldest)
        if dropped:
            await self._count_dropped(portal_id, dropped)
        return dropped

    async def switch_off(self, target: Target, failed: FailedTry) -> None:
        """Write down that the receiver wants no more, and forget what waits for it."""
        row = (failed.at, failed.failure.value, failed.status)

        async def work(tx: Transaction) -> int:
            await tx.lock(target.portal_id)
            return await tx.execute(_SWITCH_OFF, target.portal_id, target.set_at, *row)

        if await self._database.transact(work):
            await forget_all(self._database, target.portal_id)

    async def settle(self, portal_id: str) -> None:
        """Put the portal's next delivery where its events are due."""

        async def work(tx: Transaction) -> None:
            await tx.lock(portal_id)
            await self.refresh(tx, portal_id)

        await self._database.transact(work)

    async def refresh(self, tx: Transaction, portal_id: str) -> None:
        """Put the portal's next delivery in `tx` where its events are due, none if suspended."""
        await _settle(tx, portal_id, self._clock.now())

    async def _count_dropped(self, portal_id: str, number: int) -> None:
        async def work(tx: Transaction) -> None:
            await tx.execute(_COUNT_DROPPED, portal_id, number)

        await self._database.transact(work)


async def deliver_all(tx: Transaction, portal_id: str, now: int) -> None:
    """Make in `tx` all of the portal's events due at once."""
    await tx.execute(_ALL_DUE, portal_id, now)
    await _settle(tx, portal_id, now)


async def forget_all(database: Database, portal_id: str) -> None:
    """Delete all of the portal's events."""
    await _forget(database, portal_id, _ALL_TIMES)


async def _settle(tx: Transaction, portal_id: str, not_before: int) -> None:
    first = (await tx.fetch(_FIRST_DUE, portal_id))[0][0]
    await tx.execute(_SET_DUE, portal_id, None if first is None else max(first, not_before))


async def _forget(database: Database, portal_id: str, due_before: int) -> int:
    """Delete events that were due before a moment, few in each transaction."""

    async def work(tx: Transaction) -> int:
        return await tx.execute(_FORGET, portal_id, due_before, _TOGETHER)

    forgotten = 0
    while found := await database.transact(work):
        forgotten += found
    return forgotten
