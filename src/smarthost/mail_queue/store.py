"""The rows of delivery: what is claimed, how far it is, what it came to.

Every change is one conditional update in a transaction: whoever writes about an attempt names its
claim, so that a worker that was asleep beyond its lease changes nothing. What an attempt says of
the relay, that it is away or back, is written together with what it says of the message. Where
several nodes deliver, claims bear their names, and a portal's mail is left to one at a time.
"""

import random
from collections.abc import Callable, Collection, Sequence

from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Step
from smarthost.ids import Ids
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue.claims.store import Readiness, Taking, readiness, renew, take
from smarthost.mail_queue.holds import store as holds
from smarthost.mail_queue.jumps import Jumps
from smarthost.mail_queue.leases.store import beginning_of_claims
from smarthost.mail_queue.model import Attempted, Claim, Kind
from smarthost.mail_queue.outcomes import store as outcomes
from smarthost.mail_queue.outcomes.model import Recorded, Report, Verdict
from smarthost.mail_queue.outcomes.recorder import Recorder
from smarthost.mail_queue.outcomes.store import InEachRecord, nothing_more
from smarthost.mail_queue.rows import read_dsn
from smarthost.mail_queue.schedule import Patience
from smarthost.mail_queue.turns import store as turns
from smarthost.mail_queue.turns.store import BEFORE_ALL, Keeping, Turn, due_turns, refresh

_MESSAGE = """
SELECT p.suspended_at, m.sender, m.needs_smtputf8, m.needs_8bit, b.content, m.dsn
FROM messages m
JOIN message_bodies b ON b.portal_id = m.portal_id AND b.message_id = m.id
JOIN portals p ON p.id = m.portal_id
WHERE m.portal_id = $1 AND m.id = $2"""


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
        self._luck = luck
        self._in_each_record = in_each_record
        self._recorder = Recorder(
            database,
            clock,
            patience=patience,
            luck=luck,
            jumps=jumps or Jumps(clock),
            keeps_sent=keeps_sent,
            in_each_record=in_each_record,
        )

    @property
    def in_order(self) -> bool:
        """Whether what is written is written in the order in which it was handed over."""
        return self._database.in_order

    async def due_turns(self, kind: Kind, *, after: Turn = BEFORE_ALL, at_most: int) -> list[Turn]:
        """Return the portals with something due, the one that waits longest first."""
        now = self._clock.now()
        node = self._node_of(kind)
        return await due_turns(self._database, kind, now, after=after, at_most=at_most, node=node)

    def _node_of(self, kind: Kind) -> str | None:
        """Return whom portals are left to; of tests and notices there are few: to nobody."""
        return self.node if kind is Kind.MAIL else None

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
        node = self._node_of(kind)
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
            here = await readiness(tx, portal_id)
            if node is not None and here.is_elsewhere(node, now):
                return []
            claims = await _take(tx, taking, here, own, luck)
            kept = Keeping(node, now) if claims and node is not None else None
            await refresh(tx, portal_id, kind, kept=kept)
            return claims

        return await self._database.transact(work)

    async def renew(self, portal_id: str, kind: Kind, claims: Collection[str]) -> None:
        """Renew the leases of these claims of a portal, and keep its mail to this node."""
        now, node = self._clock.now(), self._node_of(kind)

        async def work(tx: Transaction) -> None:
            await tx.lock(portal_id)
            for claim in claims:
                await renew(tx, portal_id, kind, claim, now)
            if node is not None:
                await turns.keep_on(tx, portal_id, node, now)
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
        whose = (claim.portal_id, claim.message_id, claim.id)
        return await outcomes.record_step(self._database, *whose, step)

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
        report = Report(claim=claim, attempted=attempted, verdict=verdict, then=then)
        return await self._recorder.record(report)


async def _take(
    tx: Transaction, taking: Taking, here: Readiness, own: Collection[str], luck: float
) -> list[Claim]:
    if here.suspended_at is not None:
        return []
    taking = taking._replace(resumed_at=here.resumed_at)
    waits = here.on_hold and taking.kind is Kind.MAIL
    hold = await holds.current(tx, taking.portal_id) if waits else None
    if hold is None:
        return await take(tx, taking, own)
    if await holds.may_probe(tx, hold, taking.now, luck):
        return await take(tx, taking._replace(at_most=1, probe=True), own)
    return []
