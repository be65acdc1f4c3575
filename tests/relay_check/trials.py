"""What tests of the test message share: who asks for it, and where the worker's part is played."""

from typing import Any

from smarthost.audit.model import Actor
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.model import Claim, Kind
from smarthost.mail_queue.store import QueueStore
from smarthost.portals.model import Portal
from tests.mail_queue.messages import attempted

BY = Actor(name="ann@example.org")
TO = "ann@example.org"


async def claimed(queue: QueueStore, portal: Portal) -> Claim:
    """Take the portal's test as a worker does."""
    claims = await queue.claim(portal.id, Kind.TEST, ())
    assert len(claims) == 1
    return claims[0]


async def end(queue: QueueStore, portal: Portal, **fields: Any) -> None:
    """Take the portal's test and end it, by success if nothing is said."""
    claim = await claimed(queue, portal)
    assert (await queue.record(claim, attempted(claim, **fields))).kept


async def fail(queue: QueueStore, portal: Portal, step: Step, code: Code, **fields: Any) -> None:
    await end(queue, portal, result=Result.DEFERRED, step=step, code=code, **fields)
