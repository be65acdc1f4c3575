"""The claims of the dead: each recipient gets the outcome that its last recorded step allows.

What was begun counts as an attempt, and as a death of its worker: a message that takes its worker
along each time must not do so for ever. What was only claimed goes back as it was. On one machine
whoever takes the delivery lock knows that all claims are a dead worker's. Whether a node lives
that was not seen for a while nobody knows: what had not left is taken in a way that it notices.
"""

from collections import defaultdict
from functools import partial
from typing import NamedTuple

from smarthost.clock import Clock
from smarthost.database.engine import Database, Row, Transaction
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue import schedule
from smarthost.mail_queue.holds.store import on_hold
from smarthost.mail_queue.holds.store import shift as shift_hold
from smarthost.mail_queue.model import Attempted, Ended, Kind
from smarthost.mail_queue.outcomes import store as outcomes
from smarthost.mail_queue.outcomes.store import Ending, InEachRecord, nothing_more
from smarthost.mail_queue.rounds.store import Rounds
from smarthost.mail_queue.statistics.store import count
from smarthost.mail_queue.turns.store import NEVER, kept_by, let_go, refresh

# Whoever holds an ended lease may be writing this moment that its message leaves: it has done so
# before this, and what is read behind it shows the step, or it finds its claim gone.
_SEIZE_ENDED = """
UPDATE recipients SET claim = claim || ' seized'
WHERE portal_id = $1 AND message_id = $2 AND state = 'sending' AND due_at <= $3"""
_ENDED = """
SELECT m.id, r.address, r.claim, r.attempts_count, r.claimed_at, r.step, r.deaths, m.revision,
       m.at_most_once
FROM recipients r JOIN messages m ON m.portal_id = r.portal_id AND m.id = r.message_id
WHERE r.portal_id = $1 AND r.message_id = $2 AND r.state = 'sending' AND r.due_at <= $3"""
_ALL_ABANDONED = """
SELECT m.id, r.address, r.claim, r.attempts_count, r.claimed_at, r.step, r.deaths, m.revision,
       m.at_most_once
FROM recipients r JOIN messages m ON m.portal_id = r.portal_id AND m.id = r.message_id
WHERE r.portal_id = $1 AND r.kind = $2 AND r.state = 'sending'"""
_ABANDONED = f"{_ALL_ABANDONED} LIMIT $3"
_NOT_LEAVING = f"""{_ALL_ABANDONED} AND coalesce(r.step, '') <> 'data'
AND r.claim > $4 AND r.claim < $5 LIMIT $3"""
# Whoever holds the old claim writes before a message leaves, naming it, and finds it gone.
_SEIZE = """
UPDATE recipients SET claim = $4
WHERE portal_id = $1 AND message_id = $2 AND claim = $3 AND coalesce(step, '') <> 'data'
RETURNING address, step"""
_LAST_OF_PAGE = """
SELECT due_at FROM recipients WHERE portal_id = $1 AND kind = $2 AND due_at > $3
ORDER BY due_at LIMIT 1 OFFSET 499"""
# What was scheduled and not tried yet keeps its moment: that one is the sender's.
_SHIFT = """
UPDATE recipients SET due_at = due_at - $5
WHERE portal_id = $1 AND kind = $2 AND due_at > $3 AND due_at <= $4
      AND CASE WHEN attempts_count > 0 THEN 1 WHEN scheduled_at IS NULL THEN 1 ELSE 0 END = 1"""

_TOGETHER = 500
"""How many recipients a transaction changes at the most, as `_LAST_OF_PAGE` counts them too."""


class Lease(NamedTuple):
    """A recipient that a worker held."""

    message_id: str
    address: str
    claim: str
    attempt: int
    started_at: int
    step: str | None
    deaths: int
    revision: int | None
    at_most_once: int


async def ended(tx: Transaction, portal_id: str, message_id: str, now: int) -> list[Lease]:
    """Take those of a message's leases whose time is over from whoever had them; return them."""
    await tx.execute(_SEIZE_ENDED, portal_id, message_id, now)
    return [Lease(*row) for row in await tx.fetch(_ENDED, portal_id, message_id, now)]


async def some(tx: Transaction, portal_id: str, kind: Kind) -> list[Lease]:
    """Return some of a portal's leases, whether their time is over or not, if it has any."""
    rows = await tx.fetch(_ABANDONED, portal_id, kind.value, _TOGETHER)
    return [Lease(*row) for row in rows]


async def end(tx: Transaction, portal_id: str, kind: Kind, lease: Lease, now: int) -> Ended | None:
    """End one lease; the turn is left to the caller.

    None where that changes nothing but who holds it.
    """
    whose = (portal_id, lease.message_id, lease.claim)
    step = Step(lease.step) if lease.step else None
    if step is None and kind is not Kind.TEST:
        await outcomes.give_back(tx, whose, now)
        return None
    attempted = interrupted(lease)
    deaths, once = lease.deaths + 1, bool(lease.at_most_once)
    standing = schedule.after_death(kind, step, deaths, now, at_most_once=once)
    ending = Ending(lease.message_id, lease.claim, attempted, standing, deaths)
    if not (await outcomes.end(tx, portal_id, [ending], now)).kept:
        return None
    return ended_as(lease, standing)


def ended_as(lease: Lease, standing: schedule.Standing) -> Ended:
    """Return where the recipient of a lease stands that has ended with nobody to tell of it."""
    return Ended(
        address=lease.address, attempts=lease.attempt, state=standing.state, code=Code.INTERRUPTED
    )


def interrupted(lease: Lease) -> Attempted:
    """Return the attempt of a lease, of which nobody has told the end."""
    step = Step(lease.step) if lease.step else None
    return Attempted(
        address=lease.address,
        attempt=lease.attempt,
        started_at=lease.started_at,
        microseconds=None,
        result=Result.DEFERRED,
        step=step or Step.RESOLVE,
        code=Code.INTERRUPTED,
        in_doubt=schedule.in_doubt(step),
        revision=lease.revision,
    )


def beginning_of_claims(node: str | None) -> str:
    """Return what the names of a node's claims begin with; None: there is no other node."""
    return "" if node is None else f"{node}/"


class LeaseStore:
    """Puts right what a worker finds when it begins, and after a jump of the clock."""

    def __init__(
        self, database: Database, clock: Clock, in_each_record: InEachRecord = nothing_more
    ) -> None:
        self._database = database
        self._rounds = Rounds(database)
        self._clock = clock
        self._in_each_record = in_each_record

    async def take_over(self, kind: Kind) -> int:
        """End all leases of messages of `kind`, whoever had them; return how many there were."""
        count = 0
        async for portal_id in self._rounds.with_claims(kind):
            values = (portal_id, kind.value, _TOGETHER)
            while rows := await self._database.fetch(_ABANDONED, *values):
                await self._database.transact(partial(self._end_all, portal_id, kind, rows))
                count += len(rows)
        return count

    async def take_over_from(self, node: str) -> int:
        """Take a node's mail from it, but for what has left, though it may still live.

        It finds its claims gone before it lets any of them leave. What may be on its way is left
        to the end of its lease. Returns how many recipients there were.
        """
        count = 0
        async for portal_id in self._rounds.with_claims_of(*_names_of(node)):
            values = (portal_id, Kind.MAIL.value, _TOGETHER, *_names_of(node))
            while rows := await self._database.fetch(_NOT_LEAVING, *values):
                seize = partial(self._seize_all, portal_id, Kind.MAIL, rows)
                count += await self._database.transact(seize)
        await self.leave(node)
        return count

    async def leave(self, node: str) -> None:
        """Leave the mail of a node that stops to the others."""
        async for portals in kept_by(self._database, node):
            await self._database.transact(partial(let_go, portals=portals, node=node))

    async def _seize_all(
        self, portal_id: str, kind: Kind, rows: list[Row], tx: Transaction
    ) -> int:
        await tx.lock(portal_id)
        leases = [Lease._make(row) for row in rows]
        steps: dict[tuple[str, str, str], str | None] = {}
        for message_id, claim in dict.fromkeys((one.message_id, one.claim) for one in leases):
            whose = (portal_id, message_id, claim)
            for address, step in await tx.fetch(_SEIZE, *whose, _seized(claim)):
                steps[message_id, claim, address] = step
        found = [
            (one._replace(claim=_seized(one.claim), step=steps[key]))
            for one in leases
            if (key := (one.message_id, one.claim, one.address)) in steps
        ]
        await self._end_all(portal_id, kind, [tuple(one) for one in found], tx)
        return len(found)

    async def _end_all(self, portal_id: str, kind: Kind, rows: list[Row], tx: Transaction) -> None:
        await tx.lock(portal_id)
        now = self._clock.now()
        ended: dict[str, list[Ended]] = defaultdict(list)
        for lease in map(Lease._make, rows):
            one = await end(tx, portal_id, kind, lease, now)
            if one is not None:
                ended[lease.message_id].append(one)
        if kind is Kind.MAIL:
            for message_id, of_message in ended.items():
                await count(tx, portal_id, of_message, now=now)
                await self._in_each_record(tx, portal_id, message_id, of_message)
        await refresh(tx, portal_id, kind)

    async def shift(self, microseconds: int) -> None:
        """Bring all that waits nearer, since the clock was set back by that much."""
        async for some in self._rounds.portals():
            for kind in Kind:
                for portal_id in await self._rounds.with_due(some, kind, self._clock.now()):
                    await self._shift(portal_id, kind, microseconds)
        async for portal_id in on_hold(self._database):
            await self._database.transact(partial(_shift_hold, portal_id, microseconds))

    async def _shift(self, portal_id: str, kind: Kind, by: int) -> None:
        begin = self._clock.now()
        # Page after page by due time: what is moved comes to lie behind the pages to come.
        while begin < NEVER:
            rows = await self._database.fetch(_LAST_OF_PAGE, portal_id, kind.value, begin)
            end = rows[0][0] if rows else NEVER
            page = (portal_id, kind.value, begin, end, by)
            await self._database.transact(partial(_shift_page, kind, page))
            begin = end


def _names_of(node: str) -> tuple[str, str]:
    """Return what lies before and behind all claims of a node."""
    begin = beginning_of_claims(node)
    return begin, begin + "~"


def _seized(claim: str) -> str:
    return f"{claim} seized"


async def _shift_page(kind: Kind, page: tuple[str, str, int, int, int], tx: Transaction) -> None:
    await tx.lock(page[0])
    await tx.execute(_SHIFT, *page)
    await refresh(tx, page[0], kind)


async def _shift_hold(portal_id: str, by: int, tx: Transaction) -> None:
    await tx.lock(portal_id)
    await shift_hold(tx, portal_id, by)
    await refresh(tx, portal_id, Kind.MAIL)
