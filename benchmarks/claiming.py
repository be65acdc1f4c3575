"""What claiming a message and recording its outcome costs, by how much waits and on which engine.

All that are compared are open at the same time and take turns within each round, each with as many
queued at the begin of a round as at the begin of any other. Two commits for a message, one after
the other, so that nobody is there to share them with.
"""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack

from benchmarks.installation import Installation, queue
from benchmarks.serving import tell
from smarthost.app.parts import Parts
from smarthost.delivery.outcome import Result, Step
from smarthost.mail_queue.model import Attempted, Claim, Kind

_BATCHES = 20
_BATCH = 20


async def claim_costs(
    installations: Mapping[str, Installation], rounds: int
) -> dict[str, list[float]]:
    """Return the microseconds for one message, of each round; every one has a single portal."""
    costs: dict[str, list[float]] = {name: [] for name in installations}
    async with AsyncExitStack() as stack:
        opened = {
            name: await stack.enter_async_context(installation.open())
            for name, installation in installations.items()
        }
        for number in range(1, rounds + 1):
            for name, parts in opened.items():
                tell(f"Claiming, {name}, round {number} of {rounds} …")
                costs[name].append(await _claims(parts))
    return costs


async def _claims(parts: Parts) -> float:
    portal = (await parts.portals.portals(at_most=1))[0]
    store = parts.delivery.queue
    done = 0
    took = 0.0
    # The first one reads pages that no later one has to.
    for number in range(_BATCHES + 1):
        began = time.perf_counter()
        claims = await store.claim(portal.id, Kind.MAIL, set(), at_most=_BATCH)
        for claim in claims:
            await store.record(claim, _accepted(claim))
        if number:
            took += time.perf_counter() - began
            done += len(claims)
    # As many as there were: every round begins alike.
    await queue(parts, portal.id, done + _BATCH)
    return took / done * 1e6


def _accepted(claim: Claim) -> list[Attempted]:
    return [
        Attempted(
            address=one.address,
            attempt=one.attempt,
            started_at=claim.started_at,
            microseconds=1_000,
            result=Result.ACCEPTED,
            step=Step.DATA,
            reply="250 2.0.0 Ok",
            revision=1,
            relay_host="mail.example.com",
            relay_port=587,
            default_relay=False,
        )
        for one in claim.recipients
    ]
