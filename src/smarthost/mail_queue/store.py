"""The rows of delivery: what is claimed, how far it is, what it came to.

Every change is one conditional update in a transaction: whoever writes about an attempt names its
claim, so that a worker that was asleep beyond its lease changes nothing. What an attempt says of
the relay, that it is away or back, is written together with what it says of the message. Where
several nodes deliver, claims bear their names, and a portal's mail is left to one at a time.
"""

import random
from collections.abc import Callable, Collection, Sequence

import msgspec

from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Result, Step
from smarthost.ids import Ids
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue import schedule
from smarthost.mail_queue.claims.store import Taking, renew, take
from smarthost.mail_queue.holds import store as holds
from smarthost.mail_queue.holds.model import after_failure, fails_for_all, lifts
from smarthost.mail_queue.jumps import Jumps
from smarthost.mail_queue.leases.store import beginning_of_claims
from smarthost.mail_queue.model import Attempted, Claim, Ended, Kind
from smarthost.mail_queue.outcomes import store as outcomes
from smarthost.mail_queue.outcomes.store import InEachRecord, nothing_more
from smarthost.mail_queue.removal.store import drop_body_of_sent
from smarthost.mail_queue.rows import read_dsn
from smarthost.mail_queue.schedule import Circumstances, Patience, Standing
from smarthost.mail_queue.statistics.store import count
from smarthost.mail_queue.turns import store as turns
from smarthost.mail_queue.turns.store import BEFORE_ALL, Turn, due_turns, refresh
from smarthost.portals.suspension.store import standing_of

_RECORD_STEP = """
UPDATE recipients SET step = $4 WHERE portal_id = $1 AND message_id = $2 AND claim = $3"""
_MESSAGE = """
SELECT p.suspended_at, m.sender, m.needs_smtputf8, m.needs_8bit, b.content, m.dsn
FROM messages m
JOIN message_bodies b ON b.portal_id = m.portal_id AND b.message_id = m.id
JOIN portals p ON p.id = m.portal_id
WHERE m.portal_id = $1 AND m.id = $2"""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of writing an outcome down."""

    kept: bool
    """False if the claim was lost for one of the recipients: of that one nothing is written,
    since whoever ended the lease has written it."""
    lifted: bool = False
    """The portal was on hold, and is no more."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a failed attempt says beyond its message; all false for any other."""

    holds: bool = False
    """The portal waits for its relay."""
    crowded: bool = False
    """The relay has no room for this connection, while it takes mail over others."""

    @property
    def breaks_off(self) -> bool:
        """Whether what was claimed together with the message has to wait as well."""
        return self.holds or self.crowded


class ClaimLostError(Exception):
    """The lease has ended, and somebody else has decided about the recipients."""


class SuspendedError(Exception):
    """The portal is suspended: nothing of it goes out."""


class QueueStore:
    """Reads and changes the queue's rows for a worker."""

    def __init__(  # noqa: PLR0913 - all but three may be left out
        self,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        patience: Patience = Patience(),  # noqa: B008 - it is frozen
        luck: Callable[[], float] = random.random,
        jumps: Jumps | None = None,
        keeps_sent: bool = True,
        in_each_record: InEachRecord = nothing_more,
        node: str | None = None,
    ) -> None:
        """`luck` gives numbers from 0 to 1; `jumps` is the worker's, if there is one.

        Without `keeps_sent` the content of a message goes with the outcome of its last recipient,
        once all have it. `node` is the name of this one among several that deliver.
        """
        self.node = node
        self._database = database
        self._clock = clock
        self._ids = ids
        self._patience = patience
        self._luck = luck
        self._jumps = jumps or Jumps(clock)
        self._keeps_sent = keeps_sent
        self._in_each_record = in_each_record

    @property
    def in_order(self) -> bool:
        """Whether what is written is written in the order in which it was handed over."""
        return self._database.in_order

    async def due_turns(self, kind: Kind, *, after: Turn = BEFORE_ALL, at_most: int) -> list[Turn]:
        """Return the portals with something due, the one that waits longest first."""
        now = self._clock.now()
        # Of tests and notices there are few, and whoever is first has them.
        node = self.node if kind is Kind.MAIL else None
        return await due_turns(self._database, kind, now, after=after, at_most=at_most, node=node)

    async def claim(
        self, portal_id: str, kind: Kind, own: Collection[str], at_most: int = 1
    ) -> list[Claim]:
        """Take the portal's next due messages, their attempts counted.

        Of a portal on hold it is one message, when the relay is to be probed, or none; of one that
        is suspended, none. The first one counts as begun.

        `own` are the claims that the caller still works on: where their leases have ended they
        are renewed. Recipients whose lease has ended in other hands get the outcome that the last
        recorded step allows, and mail among them is taken again. Of mail that is left to another
        node nothing is taken.
        """
        now, luck = self._clock.now(), self._luck()
        taking = Taking(
            portal_id=portal_id,
            kind=kind,
            claim=beginning_of_claims(self.node) + self._ids.new(),
            now=now,
            at_most=at_most,
            probe=False,
            resumed_at=None,
            in_each_record=self._in_each_record,
        )

        async def work(tx: Transaction) -> list[Claim]:
            await tx.lock(portal_id)
            if kind is Kind.MAIL and await self._is_elsewhere(tx, portal_id, now):
                return []
            claims = await _take(tx, taking, own, luck)
            if claims and kind is Kind.MAIL and self.node is not None:
                await turns.keep(tx, portal_id, self.node, now)
            await refresh(tx, portal_id, kind)
            return claims

        return await self._database.transact(work)

    async def _is_elsewhere(self, tx: Transaction, portal_id: str, now: int) -> bool:
        return self.node is not None and await turns.is_elsewhere(tx, portal_id, self.node, now)

    async def renew(self, portal_id: str, kind: Kind, claims: Collection[str]) -> None:
        """Renew the leases of these claims of a portal, and keep its mail to this node."""
        now = self._clock.now()

        async def work(tx: Transaction) -> None:
            await tx.lock(portal_id)
            for claim in claims:
                await renew(tx, portal_id, kind, claim, now)
            if kind is Kind.MAIL and self.node is not None:
                await turns.keep_on(tx, portal_id, self.node, now)
            await refresh(tx, portal_id, kind)

        await self._database.transact(work)

    async def envelope(self, claim: Claim) -> Envelope:
        """Return what was accepted, addressed to the recipients of `claim`.

        Raises `SuspendedError` where nothing of the portal may be sent, and `ClaimLostError` where
        others have sent it, so that its content is gone.
        """
        rows = await self._database.fetch(_MESSAGE, claim.portal_id, claim.message_id)
        if not rows:
            raise ClaimLostError
        suspended_at, sender, needs_smtputf8, needs_8bit, content, dsn = rows[0]
        if suspended_at is not None:
            raise SuspendedError
        return Envelope(
            sender=sender,
            recipients=tuple(claimed.address for claimed in claim.recipients),
            content=content,
            needs_smtputf8=bool(needs_smtputf8),
            needs_8bit=bool(needs_8bit),
            dsn=None if dsn is None else read_dsn(dsn),
        )

    async def record_step(self, claim: Claim, step: Step) -> bool:
        """Write down the step that an attempt has reached; False if the claim is lost."""
        values = (claim.portal_id, claim.message_id, claim.id, step.value)
        return await self._database.execute(_RECORD_STEP, *values) > 0

    async def give_back(self, claims: Sequence[Claim]) -> None:
        """Let go of messages that were never begun; all are of one portal and kind."""

        async def work(tx: Transaction) -> None:
            await tx.lock(claims[0].portal_id)
            for claim in claims:
                whose = (claim.portal_id, claim.message_id, claim.id)
                await outcomes.give_back(tx, whose, claim.started_at)
            await refresh(tx, claims[0].portal_id, claims[0].kind)

        await self._database.transact(work)

    async def join_hold(self, claims: Sequence[Claim], revision: int) -> bool:
        """Let go of a portal's messages, and put it on hold with the default relay.

        False, and nothing done, if no other portal's try of that relay speaks for this one.
        """
        portal_id, now, luck = claims[0].portal_id, self._clock.now(), self._luck()
        if not await holds.is_default_tried(self._database, portal_id, now):
            return False

        async def work(tx: Transaction) -> bool:
            await tx.lock(portal_id)
            if not await holds.join_default(tx, portal_id, revision, now, luck):
                return False
            for claim in claims:
                whose = (portal_id, claim.message_id, claim.id)
                await outcomes.give_back(tx, whose, claim.started_at)
            await refresh(tx, portal_id, claims[0].kind)
            return True

        return await self._database.transact(work)

    async def record(
        self,
        claim: Claim,
        attempted: Sequence[Attempted],
        verdict: Verdict = Verdict(),  # noqa: B008 - it is frozen
        *,
        then: Claim | None = None,
    ) -> Recorded:
        """Write down what an attempt came to and let its recipients go.

        `then` is the message of the same claim that is begun now.
        """
        now, age = self._clock.now(), self._jumps.age(claim.ages_from)
        luck, delay = self._luck(), self._jumps.age(claim.wanted_at)
        whose = (claim.portal_id, claim.message_id, claim.id)
        standings = [
            schedule.after(
                claim,
                one,
                self._patience,
                Circumstances(
                    now=now,
                    age=age,
                    luck=self._luck(),
                    on_hold=verdict.holds,
                    crowded=verdict.crowded,
                ),
            )
            for one in attempted
        ]

        async def work(tx: Transaction) -> Recorded:
            await tx.lock(claim.portal_id)
            kept = [
                await outcomes.end(tx, whose, one, standing, now=now)
                for one, standing in zip(attempted, standings, strict=True)
            ]
            if then is not None:
                begun = (then.portal_id, then.message_id, then.id, Step.RESOLVE.value)
                await tx.execute(_RECORD_STEP, *begun)
            lifted = False
            if any(kept):
                if verdict.holds:
                    await _hold(tx, claim, attempted, now, luck)
                lifted = await _lift(tx, claim, attempted)
            if any(kept) and claim.kind is Kind.MAIL:
                ended = _ended(attempted, standings, kept)
                await count(tx, claim.portal_id, ended, now=now, delay=delay)
                await self._in_each_record(tx, claim.portal_id, claim.message_id, ended)
            sent = any(one.result is Result.ACCEPTED for one in attempted)
            if sent and not self._keeps_sent:
                await drop_body_of_sent(tx, claim.portal_id, claim.message_id)
            await refresh(tx, claim.portal_id, claim.kind, sent_at=now if sent else None)
            return Recorded(kept=all(kept), lifted=lifted)

        return await self._database.transact(work)


async def _take(tx: Transaction, taking: Taking, own: Collection[str], luck: float) -> list[Claim]:
    standing = await standing_of(tx, taking.portal_id)
    if standing.suspended_at is not None:
        return []
    taking = taking._replace(resumed_at=standing.resumed_at)
    hold = await holds.current(tx, taking.portal_id) if taking.kind is Kind.MAIL else None
    if hold is None:
        return await take(tx, taking, own)
    if await holds.may_probe(tx, hold, taking.now, luck):
        return await take(tx, taking._replace(at_most=1, probe=True), own)
    return []


def _ended(
    attempted: Sequence[Attempted], standings: Sequence[Standing], kept: Sequence[bool]
) -> list[Ended]:
    """Return where those recipients stand whose claims were still held."""
    return [
        Ended(
            address=one.address,
            attempts=one.attempt,
            state=standing.state,
            code=one.code,
            relayed_untold=one.relayed_untold,
        )
        for one, standing, written in zip(attempted, standings, kept, strict=True)
        if written
    ]


async def _hold(
    tx: Transaction, claim: Claim, attempted: Sequence[Attempted], now: int, luck: float
) -> None:
    failed = next(one for one in attempted if fails_for_all(one))
    before = await holds.current(tx, claim.portal_id)
    await holds.put(tx, after_failure(claim, failed, before, now, luck))


async def _lift(tx: Transaction, claim: Claim, attempted: Sequence[Attempted]) -> bool:
    """End the hold where an attempt proves that it has no reason any more."""
    proof = next((one for one in attempted if lifts(one)), None)
    if proof is None or claim.kind is Kind.NOTICE:  # which goes another way than the mail
        return False
    return await holds.lift_proven(tx, claim.portal_id, proof.revision or 0)
