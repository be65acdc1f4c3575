"""The rows of accepted messages, as people see them, and the few things that people do with them.

A message is never changed; what is done concerns its recipients or its content, is decided inside
the transaction against what stands there at that moment, and leaves an audit event behind. What a
worker holds just now is left alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.mail_queue.accepted import rules
from smarthost.mail_queue.accepted.model import Counts, Message, NoSuchMessageError
from smarthost.mail_queue.accepted.rows import read_attempt, read_last_test, read_message
from smarthost.mail_queue.accepted.rules import Situation
from smarthost.mail_queue.model import Attempted, HeldFor, Kind, LastTest, State
from smarthost.mail_queue.turns import store as turns
from smarthost.mail_queue.waiting.store import count_held, count_waiting

_MESSAGE = """
SELECT m.id, m.kind, m.accepted_at, m.accepted_by, m.owner, m.sender, m.size, m.details,
       m.at_most_once, m.expires_at, CASE WHEN b.message_id IS NULL THEN 0 ELSE 1 END
FROM messages m
LEFT JOIN message_bodies b ON b.portal_id = m.portal_id AND b.message_id = m.id
WHERE m.portal_id = $1 AND m.id = $2"""
_RECIPIENTS = """
SELECT r.address, r.state, r.attempts_count, r.due_at, r.scheduled_at, r.held_for, r.in_doubt,
       r.ended_at, (
           SELECT a.code FROM attempts a
           WHERE a.portal_id = $1 AND a.message_id = $2 AND a.address = r.address
           ORDER BY a.attempt DESC LIMIT 1
       )
FROM recipients r WHERE r.portal_id = $1 AND r.message_id = $2 ORDER BY r.address"""
_CONTENT = "SELECT content FROM message_bodies WHERE portal_id = $1 AND message_id = $2"
_ATTEMPTS = """
SELECT address, attempt, started_at, microseconds, result, step, code, permanent, in_doubt, reply,
       revision, relay_host, relay_port, default_relay, relay_address, tls, warnings
FROM attempts WHERE portal_id = $1 AND message_id = $2
ORDER BY started_at DESC, address DESC, attempt DESC LIMIT $3"""
_EVERY_ATTEMPT = 2**31 - 1
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
_ACCEPTED_AT = "SELECT accepted_at FROM messages WHERE portal_id = $1 AND id = $2"
_LAST_SENT = "SELECT last_sent_at FROM queue_turns WHERE portal_id = $1 AND kind = 'mail'"
_SITUATION = """
SELECT m.owner, m.kind, m.expires_at, CASE WHEN b.message_id IS NULL THEN 0 ELSE 1 END
FROM messages m
LEFT JOIN message_bodies b ON b.portal_id = m.portal_id AND b.message_id = m.id
WHERE m.portal_id = $1 AND m.id = $2"""
_SITUATIONS = """
SELECT state, attempts_count FROM recipients WHERE portal_id = $1 AND message_id = $2"""
_RESCHEDULE = """
UPDATE recipients SET due_at = $3, scheduled_at = $3
WHERE portal_id = $1 AND message_id = $2 AND state = 'queued'"""
_CANCEL = """
UPDATE recipients SET state = 'cancelled', due_at = NULL, held_for = NULL, ended_at = $3
WHERE portal_id = $1 AND message_id = $2 AND state IN ('queued', 'held')
  AND coalesce(held_for, '') = coalesce($4, held_for, '')"""
_RETRY = """
UPDATE recipients SET state = 'queued', due_at = $3, ended_at = NULL, deaths = 0
WHERE portal_id = $1 AND message_id = $2
  AND CASE WHEN state = 'queued' THEN attempts_count > 0 ELSE state IN ('failed', 'expired') END"""
# The sender's moment may be yet to come, where the message comes out of a back-up.
_RELEASE = """
UPDATE recipients
SET state = 'queued', due_at = CASE WHEN scheduled_at > $3 THEN scheduled_at ELSE $3 END,
    held_for = NULL, deaths = 0
WHERE portal_id = $1 AND message_id = $2 AND state = 'held'
  AND held_for = coalesce($4, held_for)"""
_DROP_BODY = "DELETE FROM message_bodies WHERE portal_id = $1 AND message_id = $2"

Change = Callable[[Transaction, Situation], Awaitable[int]]
"""Does something to a message as it stands, or raises; returns how many rows it changed."""


class MessageStore:
    """Reads accepted messages, and does what people ask for.

    Where a method takes an `owner`, only messages that came with that credential are there; None
    means the whole portal. What changes something raises `NoSuchMessageError`,
    `NotPossibleError` and `StoreUnavailableError`, with all of which nothing was changed.
    """

    def __init__(self, database: Database, audit: AuditLog, clock: Clock) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock

    async def get(
        self, portal_id: str, message_id: str, *, owner: str | None = None
    ) -> Message | None:
        """Return a message, None if there is none for this owner."""
        rows = await self._database.fetch(_MESSAGE, portal_id, message_id)
        if not rows:
            return None
        recipients = await self._database.fetch(_RECIPIENTS, portal_id, message_id)
        message = read_message(portal_id, rows[0], recipients)
        return message if owner in (None, message.owner) else None

    async def content(self, portal_id: str, message_id: str) -> bytes | None:
        """Return the octets that were accepted, None once they were dropped."""
        rows = await self._database.fetch(_CONTENT, portal_id, message_id)
        return rows[0][0] if rows else None

    async def attempts(
        self, portal_id: str, message_id: str, *, newest: int | None = None
    ) -> Sequence[Attempted]:
        """Return the attempts that have ended, the oldest first: all, or so many of the newest."""
        at_most = _EVERY_ATTEMPT if newest is None else newest
        rows = await self._database.fetch(_ATTEMPTS, portal_id, message_id, at_most)
        return [read_attempt(row) for row in reversed(rows)]

    async def last_test(self, portal_id: str) -> LastTest | None:
        """Return the portal's last test, None if there never was one."""
        rows = await self._database.fetch(_LAST_TEST, portal_id)
        return read_last_test(rows[0]) if rows else None

    async def counts(self, portal_id: str) -> Counts:
        """Count the portal's mail that has not ended; others have their turn meanwhile."""
        waiting = await count_waiting(self._database, portal_id, self._clock.now())
        held = await count_held(self._database, portal_id)
        accepted = await self._database.fetch(_ACCEPTED_AT, portal_id, waiting.oldest)
        sent = await self._database.fetch(_LAST_SENT, portal_id)
        return Counts(
            queued=waiting.count - waiting.scheduled,
            scheduled=waiting.scheduled,
            held=held,
            oldest_queued_at=accepted[0][0] if accepted else None,
            last_sent_at=sent[0][0] if sent else None,
        )

    async def reschedule(
        self, portal_id: str, message_id: str, at: int, *, by: Actor, owner: str | None = None
    ) -> None:
        """Put off, or forward, a message that was not tried yet; a moment gone by means now."""

        async def change(tx: Transaction, situation: Situation) -> int:
            rules.may_reschedule(situation, at)
            return await tx.execute(_RESCHEDULE, portal_id, message_id, at)

        await self._change(_Asked(portal_id, message_id, owner, "message.rescheduled", by), change)

    async def cancel(
        self,
        portal_id: str,
        message_id: str,
        *,
        by: Actor,
        owner: str | None = None,
        held_for: HeldFor | None = None,
    ) -> None:
        """Send it to none of the recipients that wait for it, or that are `held_for` this."""
        row = (portal_id, message_id, self._clock.now(), held_for and held_for.value)

        async def change(tx: Transaction, situation: Situation) -> int:
            rules.may_cancel(situation)
            return await tx.execute(_CANCEL, *row)

        await self._change(_Asked(portal_id, message_id, owner, "message.cancelled", by), change)

    async def retry(
        self, portal_id: str, message_id: str, *, by: Actor, owner: str | None = None
    ) -> None:
        """Try it now for recipients that failed, have expired, or wait for another try."""
        now = self._clock.now()

        async def change(tx: Transaction, situation: Situation) -> int:
            rules.may_retry(situation, now)
            return await tx.execute(_RETRY, portal_id, message_id, now)

        await self._change(_Asked(portal_id, message_id, owner, "message.retried", by), change)

    async def release(
        self,
        portal_id: str,
        message_id: str,
        *,
        by: Actor,
        owner: str | None = None,
        held_for: HeldFor | None = None,
    ) -> None:
        """Try it now, or at its moment, for recipients that are held, or `held_for` this alone."""
        now = self._clock.now()

        async def change(tx: Transaction, situation: Situation) -> int:
            rules.may_release(situation, now)
            reason = held_for and held_for.value
            return await tx.execute(_RELEASE, portal_id, message_id, now, reason)

        await self._change(_Asked(portal_id, message_id, owner, "message.released", by), change)

    async def drop_body(
        self, portal_id: str, message_id: str, *, by: Actor, owner: str | None = None
    ) -> None:
        """Drop the content of a message that has ended; what became of it stays."""

        async def change(tx: Transaction, situation: Situation) -> int:
            rules.may_drop_body(situation)
            return await tx.execute(_DROP_BODY, portal_id, message_id)

        await self._change(
            _Asked(portal_id, message_id, owner, "message.body_dropped", by), change
        )

    async def _change(self, asked: "_Asked", change: Change) -> None:
        portal_id, message_id = asked.portal_id, asked.message_id

        async def work(tx: Transaction) -> None:
            await tx.lock(portal_id)
            rows = await tx.fetch(_SITUATION, portal_id, message_id)
            if not rows or asked.owner not in (None, rows[0][0]):
                raise NoSuchMessageError
            situation = Situation(
                kind=Kind(rows[0][1]),
                expires_at=rows[0][2],
                has_body=bool(rows[0][3]),
                recipients=tuple(
                    (State(state), attempts > 0)
                    for state, attempts in await tx.fetch(_SITUATIONS, portal_id, message_id)
                ),
            )
            if await change(tx, situation):
                await turns.refresh(tx, portal_id, situation.kind)
                event = Event(portal_id=portal_id, action=asked.action, subject=message_id)
                await self._audit.record(tx, event, asked.by)

        await self._database.transact(work)


class _Asked(NamedTuple):
    """Who asks for what to be done to which message."""

    portal_id: str
    message_id: str
    owner: str | None
    action: str
    by: Actor
