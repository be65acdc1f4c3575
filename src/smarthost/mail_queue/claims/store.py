"""Taking due messages: the recipients get the claim's name, a lease, and one more attempt.

What comes first is what has been due longest. On the way there lie leases that have ended: the
worker's own are renewed, the others are ended before anything is taken.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from smarthost.database.engine import Transaction
from smarthost.delivery.outcome import Step
from smarthost.mail_queue import schedule
from smarthost.mail_queue.leases import store as leases
from smarthost.mail_queue.model import Claim, Claimed, Ended, Kind, State
from smarthost.mail_queue.outcomes import store as outcomes
from smarthost.mail_queue.outcomes.store import InEachRecord
from smarthost.mail_queue.statistics.store import count

MOST_OCTETS = 8 * 1024 * 1024
"""So many octets are taken together, or one message."""

_READINESS = """
SELECT p.suspended_at, p.resumed_at, t.node, t.node_until, h.revision IS NOT NULL
FROM portals p
LEFT JOIN queue_turns t ON t.portal_id = $1 AND t.kind = 'mail'
LEFT JOIN relay_holds h ON h.portal_id = $1
WHERE p.id = $1"""
_DUE = """
SELECT m.id, r.claim, m.size, m.revision, m.accepted_at, r.scheduled_at, m.expires_at,
       m.at_most_once
FROM recipients r JOIN messages m ON m.portal_id = r.portal_id AND m.id = r.message_id
WHERE r.portal_id = $1 AND r.kind = $2 AND r.due_at <= $3
ORDER BY r.due_at, r.message_id LIMIT $4"""
_RENEW = """
UPDATE recipients SET due_at = $4
WHERE portal_id = $1 AND kind = $2 AND state = 'sending' AND claim = $3"""
_CLAIM = """
UPDATE recipients
SET state = 'sending', claim = $3, claimed_at = $4, due_at = $5, step = $6,
    attempts_count = attempts_count + 1
WHERE portal_id = $1 AND message_id = $2 AND state = 'queued' AND due_at <= $4
RETURNING message_id, address, attempts_count"""
_EXPIRE = """
UPDATE recipients SET state = 'expired', due_at = NULL, ended_at = $3
WHERE portal_id = $1 AND message_id = $2 AND state = 'queued'
RETURNING address, attempts_count"""


class Readiness(NamedTuple):
    """What decides whether anything of a portal is taken. Times are microseconds, UTC."""

    suspended_at: int | None
    resumed_at: int | None
    """When the last suspension ended."""
    node: str | None
    """Whom its mail is left to until `node_until`."""
    node_until: int | None
    on_hold: bool

    def is_elsewhere(self, node: str, now: int) -> bool:
        """Tell whether the portal's mail is left to another node."""
        return self.node not in (None, node) and (self.node_until or 0) > now


class Taking(NamedTuple):
    """What is to be taken, and as what."""

    portal_id: str
    kind: Kind
    claim: str
    now: int
    at_most: int
    probe: bool
    resumed_at: int | None
    """When the portal's last suspension ended."""
    in_each_record: InEachRecord


class _Due(NamedTuple):
    """A message with something due, before it is decided what."""

    message_id: str
    claim: str | None
    size: int
    revision: int | None
    accepted_at: int
    scheduled_at: int | None
    expires_at: int | None
    at_most_once: int


async def readiness(tx: Transaction, portal_id: str) -> Readiness:
    """Return how a portal stands, once it is locked."""
    return Readiness(*(await tx.fetch(_READINESS, portal_id))[0])


async def take(tx: Transaction, taking: Taking, own: Collection[str]) -> list[Claim]:
    """Take due messages, the first one as begun; `own` are the claims that the worker holds."""
    alive: list[_Due] = []
    for due in await _free(tx, taking, await _due(tx, taking, own)):
        if _is_over(taking, due):
            await _expire(tx, taking, due.message_id)
        else:
            alive.append(due)
    return await _claim(tx, taking, alive) if alive else []


async def renew(tx: Transaction, portal_id: str, kind: Kind, claim: str, now: int) -> None:
    """Let the lease of a claim's messages begin anew; the turn is left to the caller."""
    await tx.execute(_RENEW, portal_id, kind.value, claim, schedule.lease_end(now))


async def _due(tx: Transaction, taking: Taking, own: Collection[str]) -> list[_Due]:
    """Return the rows that are due, once no lease of the worker's own is among them."""
    queue = (taking.portal_id, taking.kind.value)
    while True:
        rows = [_Due(*row) for row in await tx.fetch(_DUE, *queue, taking.now, taking.at_most)]
        ours = {row.claim for row in rows if row.claim is not None}.intersection(own)
        if not ours:
            return rows
        for claim in ours:
            await renew(tx, taking.portal_id, taking.kind, claim, taking.now)


async def _free(tx: Transaction, taking: Taking, rows: list[_Due]) -> list[_Due]:
    """Return each message once, its ended leases ended, as many as may be taken together."""
    found: dict[str, _Due] = {}
    octets = 0
    for due in rows:
        if due.claim is not None:
            await _end_leases(tx, taking, due.message_id)
        if due.message_id in found:
            continue
        octets += due.size
        if found and octets > MOST_OCTETS:
            break
        found[due.message_id] = due
    return list(found.values())


async def _end_leases(tx: Transaction, taking: Taking, message_id: str) -> None:
    found = await leases.ended(tx, taking.portal_id, message_id, taking.now)
    ended = [
        await leases.end(tx, taking.portal_id, taking.kind, lease, taking.now) for lease in found
    ]
    await _note(tx, taking, message_id, [one for one in ended if one is not None])


async def _expire(tx: Transaction, taking: Taking, message_id: str) -> None:
    rows = await tx.fetch(_EXPIRE, taking.portal_id, message_id, taking.now)
    expired = [
        Ended(address=row[0], attempts=row[1], state=State.EXPIRED, code=None) for row in rows
    ]
    await _note(tx, taking, message_id, expired)


async def _note(tx: Transaction, taking: Taking, message_id: str, ended: list[Ended]) -> None:
    if ended and taking.kind is Kind.MAIL:
        await count(tx, taking.portal_id, ended, now=taking.now)
        await taking.in_each_record(tx, taking.portal_id, message_id, ended)


def _is_over(taking: Taking, due: _Due) -> bool:
    if schedule.is_useless(due.expires_at, taking.now):
        return True
    return taking.kind is Kind.TEST and schedule.is_over(due.accepted_at, taking.now)


async def _claim(tx: Transaction, taking: Taking, alive: Sequence[_Due]) -> list[Claim]:
    # How far a test is can be seen by people: it has not come to its first step yet.
    step = Step.RESOLVE.value if taking.kind is not Kind.TEST else None
    end = schedule.lease_end(taking.now)
    rows = [
        (
            taking.portal_id,
            due.message_id,
            taking.claim,
            taking.now,
            end,
            step if due is alive[0] else None,
        )
        for due in alive
    ]
    claimed: defaultdict[str, list[Claimed]] = defaultdict(list)
    for message_id, address, attempt in await tx.fetch_each(_CLAIM, rows):
        claimed[message_id].append(Claimed(address=address, attempt=attempt))
    taken = [due for due in alive if due.message_id in claimed]
    if taken and step is not None and taken[0] is not alive[0]:
        await outcomes.begin(tx, taking.portal_id, [(taken[0].message_id, taking.claim)])
    return [_claim_of(taking, due, claimed[due.message_id]) for due in taken]


def _claim_of(taking: Taking, due: _Due, recipients: list[Claimed]) -> Claim:
    return Claim(
        id=taking.claim,
        portal_id=taking.portal_id,
        message_id=due.message_id,
        kind=taking.kind,
        revision=due.revision,
        accepted_at=due.accepted_at,
        ages_from=max(due.accepted_at, taking.resumed_at or 0),
        wanted_at=max(due.accepted_at, due.scheduled_at or 0),
        expires_at=due.expires_at,
        at_most_once=bool(due.at_most_once),
        started_at=taking.now,
        recipients=tuple(recipients),
        probe=taking.probe,
    )
