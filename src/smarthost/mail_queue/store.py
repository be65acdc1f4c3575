"""The rows of the queue: every change is one conditional update in a transaction of its own.

Whoever writes about an attempt names its claim, so that a worker that was asleep beyond its lease
changes nothing. Each change that moves a due time also brings the portal's turn up to date; the
worker finds portals by their turns and never reads through anybody's rows.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.ids import Ids
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue import schedule
from smarthost.mail_queue.model import Attempted, Claim, Claimed, Kind, LastTest
from smarthost.mail_queue.rows import attempt_row, read_last_test

_INSERT_MESSAGE = """
INSERT INTO messages (portal_id, id, kind, revision, accepted_at, accepted_by, sender,
                      needs_smtputf8, needs_8bit, size)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
_INSERT_BODY = """
INSERT INTO message_bodies (portal_id, message_id, content) VALUES ($1, $2, $3)"""
_INSERT_RECIPIENT = """
INSERT INTO recipients (portal_id, message_id, address, kind, state, due_at, attempts_count,
                        in_doubt)
VALUES ($1, $2, $3, $4, 'queued', $5, 0, 0)"""
_SET_LAST_TEST = """
INSERT INTO last_tests (portal_id, message_id) VALUES ($1, $2)
ON CONFLICT (portal_id) DO UPDATE SET message_id = excluded.message_id"""
_RUNNING_TEST = """
SELECT m.id, m.accepted_at
FROM last_tests l
JOIN messages m ON m.portal_id = l.portal_id AND m.id = l.message_id
JOIN recipients r ON r.portal_id = l.portal_id AND r.message_id = l.message_id
WHERE l.portal_id = $1 AND r.state IN ('queued', 'sending')"""
_OPEN_TURN = """
INSERT INTO queue_turns (portal_id, kind) VALUES ($1, $2) ON CONFLICT DO NOTHING"""
_TURN = """
UPDATE queue_turns SET due_at = (
    SELECT min(due_at) FROM recipients
    WHERE portal_id = $1 AND kind = $2 AND due_at IS NOT NULL
)
WHERE portal_id = $1 AND kind = $2"""
_DUE_PORTALS = """
SELECT portal_id FROM queue_turns WHERE kind = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3"""
_FIRST_DUE = """
SELECT m.id, m.revision, m.accepted_at
FROM recipients r JOIN messages m ON m.portal_id = r.portal_id AND m.id = r.message_id
WHERE r.portal_id = $1 AND r.kind = $2 AND r.due_at <= $3
ORDER BY r.due_at, r.message_id LIMIT 1"""
_LEASES_ENDED = """
SELECT address, claim, attempts_count, claimed_at, step FROM recipients
WHERE portal_id = $1 AND message_id = $2 AND state = 'sending' AND due_at <= $3"""
_RENEW = """
UPDATE recipients SET due_at = $4 WHERE portal_id = $1 AND message_id = $2 AND claim = $3"""
_CLAIM = """
UPDATE recipients
SET state = 'sending', claim = $3, claimed_at = $4, due_at = $5, step = NULL,
    attempts_count = attempts_count + 1
WHERE portal_id = $1 AND message_id = $2 AND state = 'queued' AND due_at <= $4
RETURNING address, attempts_count"""
_EXPIRE = """
UPDATE recipients SET state = 'expired', due_at = NULL
WHERE portal_id = $1 AND message_id = $2 AND state = 'queued'"""
_RECORD_STEP = """
UPDATE recipients SET step = $4 WHERE portal_id = $1 AND message_id = $2 AND claim = $3"""
_END_CLAIM = """
UPDATE recipients
SET state = $5, due_at = $6, step = $7, claim = NULL,
    in_doubt = CASE WHEN $8 = 1 THEN 1 ELSE in_doubt END
WHERE portal_id = $1 AND message_id = $2 AND address = $3 AND claim = $4"""
_INSERT_ATTEMPT = """
INSERT INTO attempts (portal_id, message_id, address, attempt, started_at, microseconds, result,
                      step, code, permanent, in_doubt, reply, revision, relay_host, relay_port,
                      default_relay, relay_address, tls, warnings)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"""
_MESSAGE = """
SELECT m.sender, m.needs_smtputf8, m.needs_8bit, b.content
FROM messages m
JOIN message_bodies b ON b.portal_id = m.portal_id AND b.message_id = m.id
WHERE m.portal_id = $1 AND m.id = $2"""
_LAST_TEST = """
SELECT m.id, m.accepted_at, m.revision, r.address, r.state, r.step,
       a.address, a.attempt, a.started_at, a.microseconds, a.result, a.step, a.code, a.permanent,
       a.in_doubt, a.reply, a.revision, a.relay_host, a.relay_port, a.default_relay,
       a.relay_address, a.tls, a.warnings
FROM last_tests l
JOIN messages m ON m.portal_id = l.portal_id AND m.id = l.message_id
JOIN recipients r ON r.portal_id = l.portal_id AND r.message_id = l.message_id
LEFT JOIN attempts a ON a.portal_id = l.portal_id AND a.message_id = l.message_id
                    AND a.address = r.address
WHERE l.portal_id = $1"""


class QueueStore:
    """Reads and changes the queue's rows."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def insert(
        self,
        tx: Transaction,
        portal_id: str,
        message_id: str,
        envelope: Envelope,
        *,
        kind: Kind,
        revision: int | None,
        by: str,
    ) -> None:
        """Store a new message in `tx`, due at once; a recipient named twice gets it once."""
        now = self._clock.now()
        await tx.execute(
            _INSERT_MESSAGE,
            portal_id,
            message_id,
            kind.value,
            revision,
            now,
            by,
            envelope.sender,
            int(envelope.needs_smtputf8),
            int(envelope.needs_8bit),
            len(envelope.content),
        )
        await tx.execute(_INSERT_BODY, portal_id, message_id, envelope.content)
        for address in dict.fromkeys(envelope.recipients):
            await tx.execute(_INSERT_RECIPIENT, portal_id, message_id, address, kind.value, now)
        if kind is Kind.TEST:
            await tx.execute(_SET_LAST_TEST, portal_id, message_id)
        await tx.execute(_OPEN_TURN, portal_id, kind.value)
        await tx.execute(_TURN, portal_id, kind.value)

    async def running_test(self, tx: Transaction, portal_id: str) -> str | None:
        """Return the id of the portal's test that has neither ended nor run out of time."""
        for message_id, accepted_at in await tx.fetch(_RUNNING_TEST, portal_id):
            if not schedule.is_over(accepted_at, self._clock.now()):
                return str(message_id)
        return None

    async def due_portals(self, kind: Kind, at_most: int) -> list[str]:
        """Return portals with something due, the one that waits longest first."""
        rows = await self._database.fetch(_DUE_PORTALS, kind.value, self._clock.now(), at_most)
        return [row[0] for row in rows]

    async def claim(self, portal_id: str, kind: Kind, own: Collection[str]) -> Claim | None:
        """Take the portal's next due message, its attempt counted; None if there is none to take.

        `own` are the claims that the caller still works on: where their leases have ended they
        are renewed. Recipients whose lease has ended in other hands get the outcome that the last
        recorded step allows, and mail among them is taken again.
        """
        claim_id, now = self._ids.new(), self._clock.now()

        async def work(tx: Transaction) -> Claim | None:
            claim = None
            for row in await tx.fetch(_FIRST_DUE, portal_id, kind.value, now):
                due = _Due(portal_id, row[0], kind, row[1], row[2])
                await self._end_leases(tx, due, own, now)
                claim = await self._take(tx, due, claim_id, now)
            await tx.execute(_TURN, portal_id, kind.value)
            return claim

        return await self._database.transact(work)

    async def _end_leases(
        self, tx: Transaction, due: "_Due", own: Collection[str], now: int
    ) -> None:
        for address, claim, attempt, started_at, step in await tx.fetch(
            _LEASES_ENDED, due.portal_id, due.message_id, now
        ):
            if claim in own:
                end = schedule.lease_end(now)
                await tx.execute(_RENEW, due.portal_id, due.message_id, claim, end)
                continue
            reached = Step(step) if step else None
            attempted = Attempted(
                address=address,
                attempt=attempt,
                started_at=started_at,
                microseconds=None,
                result=Result.DEFERRED,
                step=reached or Step.RESOLVE,
                code=Code.INTERRUPTED,
                in_doubt=schedule.in_doubt(reached),
                revision=due.revision,
            )
            await self._end(tx, due, claim, attempted, now)

    async def _take(self, tx: Transaction, due: "_Due", claim_id: str, now: int) -> Claim | None:
        if due.kind is Kind.TEST and schedule.is_over(due.accepted_at, now):
            await tx.execute(_EXPIRE, due.portal_id, due.message_id)
            return None
        lease_end = schedule.lease_end(now)
        rows = await tx.fetch(_CLAIM, due.portal_id, due.message_id, claim_id, now, lease_end)
        if not rows:
            return None
        return Claim(
            id=claim_id,
            portal_id=due.portal_id,
            message_id=due.message_id,
            kind=due.kind,
            revision=due.revision,
            started_at=now,
            recipients=tuple(Claimed(address=row[0], attempt=row[1]) for row in rows),
        )

    async def envelope(self, claim: Claim) -> Envelope:
        """Return what was accepted, addressed to the recipients of `claim`."""
        rows = await self._database.fetch(_MESSAGE, claim.portal_id, claim.message_id)
        sender, needs_smtputf8, needs_8bit, content = rows[0]
        return Envelope(
            sender=sender,
            recipients=tuple(claimed.address for claimed in claim.recipients),
            content=content,
            needs_smtputf8=bool(needs_smtputf8),
            needs_8bit=bool(needs_8bit),
        )

    async def record_step(self, claim: Claim, step: Step) -> bool:
        """Write down the step that an attempt has reached; False if the claim is lost."""
        values = (claim.portal_id, claim.message_id, claim.id, step.value)

        async def work(tx: Transaction) -> int:
            return await tx.execute(_RECORD_STEP, *values)

        return await self._database.transact(work) > 0

    async def record(self, claim: Claim, attempted: Sequence[Attempted]) -> bool:
        """Write down what an attempt came to and let its recipients go.

        False if the claim was lost for one of them: of that one nothing is written, since
        whoever ended the lease has written it.
        """
        now = self._clock.now()

        async def work(tx: Transaction) -> bool:
            held = [await self._end(tx, claim, claim.id, one, now) for one in attempted]
            await tx.execute(_TURN, claim.portal_id, claim.kind.value)
            return all(held)

        return await self._database.transact(work)

    async def _end(
        self, tx: Transaction, of: "Claim | _Due", claim_id: str, attempted: Attempted, now: int
    ) -> bool:
        state, due_at = schedule.after(of.kind, attempted, now)
        key = (of.portal_id, of.message_id, attempted.address)
        doubt = int(attempted.in_doubt)
        step = attempted.step.value
        if not await tx.execute(_END_CLAIM, *key, claim_id, state.value, due_at, step, doubt):
            return False
        await tx.execute(_INSERT_ATTEMPT, *key[:2], *attempt_row(attempted))
        return True

    async def last_test(self, portal_id: str) -> LastTest | None:
        """Return the portal's last test, None if there never was one."""
        rows = await self._database.fetch(_LAST_TEST, portal_id)
        return read_last_test(rows[0]) if rows else None


class _Due(NamedTuple):
    """A message with something due, before it is decided what."""

    portal_id: str
    message_id: str
    kind: Kind
    revision: int | None
    accepted_at: int
