"""Writes audit events into the transaction of the change that they tell of.

An event that is there without its change, or a change without its event, cannot be.
"""

import msgspec

from smarthost.audit.model import Actor, Event
from smarthost.clock import Clock
from smarthost.database.engine import Transaction
from smarthost.ids import Ids

_INSERT = """
INSERT INTO audit_events
    (portal_id, id, at, actor, address, request_id, action, subject, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"""

_TELLS = """
SELECT 1 FROM audit_events WHERE portal_id = $1 AND action = $2 AND subject = $3 LIMIT 1"""


class AuditLog:
    """Appends to the audit."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids

    async def record(self, tx: Transaction, event: Event, by: Actor) -> None:
        """Append `event` in `tx`.

        Numbers are to come in the order of commits, so nobody else appends until `tx` has ended:
        an event is best the last thing that a unit of work writes.
        """
        await tx.lock("audit_events")
        await tx.execute(
            _INSERT,
            event.portal_id,
            self._ids.new(),
            self._clock.now(),
            by.name,
            by.address,
            by.request_id,
            event.action,
            event.subject,
            msgspec.json.encode(event.details).decode(),
        )

    async def tells(self, tx: Transaction, portal_id: str, action: str, subject: str) -> bool:
        """Tell whether something was done to a portal, by what is written of it."""
        return bool(await tx.fetch(_TELLS, portal_id, action, subject))
