"""The rows that an accepted message begins with, all written in one transaction.

This is what every sender waits for, so it is few ways to the store and back: three for all that
came together, and the turn.
"""

from collections.abc import Sequence

import msgspec

from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.mail.envelope import Envelope
from smarthost.mail_queue import schedule
from smarthost.mail_queue.accepted.model import (
    Details,
    Idempotency,
    IdempotencyMismatchError,
    Submission,
)
from smarthost.mail_queue.model import Kind
from smarthost.mail_queue.turns import store as turns

_INSERT_MESSAGE = """
INSERT INTO messages (portal_id, id, kind, revision, accepted_at, accepted_by, owner, sender,
                      needs_smtputf8, needs_8bit, size, details, at_most_once, expires_at, dsn)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"""
_INSERT_BODY = """
INSERT INTO message_bodies (portal_id, message_id, content) VALUES ($1, $2, $3)"""
_INSERT_RECIPIENT = """
INSERT INTO recipients (portal_id, message_id, address, kind, state, due_at, scheduled_at,
                        attempts_count, deaths, in_doubt)
VALUES ($1, $2, $3, $4, 'queued', $5, $6, 0, 0, 0)"""
_SET_LAST_TEST = """
INSERT INTO last_tests (portal_id, message_id) VALUES ($1, $2)
ON CONFLICT (portal_id) DO UPDATE SET message_id = excluded.message_id"""
_RUNNING_TEST = """
SELECT m.id, m.accepted_at
FROM last_tests l
JOIN messages m ON m.portal_id = l.portal_id AND m.id = l.message_id
JOIN recipients r ON r.portal_id = l.portal_id AND r.message_id = l.message_id
WHERE l.portal_id = $1 AND r.state IN ('queued', 'sending')"""
_ANSWER = """
SELECT digest, answer FROM idempotency_keys WHERE portal_id = $1 AND owner = $2 AND key = $3"""
_REMEMBER = """
INSERT INTO idempotency_keys (portal_id, owner, key, digest, answer, accepted_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"""

_json = msgspec.json.Encoder()


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What messages that come together have in common."""

    portal_id: str
    kind: Kind
    by: str
    """A user's e-mail address, or `operator`."""
    owner: str | None
    revision: int | None = None
    """Of the settings, for a test alone."""


class ArrivalStore:
    """Writes what comes in."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def insert(
        self, tx: Transaction, arrival: Arrival, submissions: Sequence[Submission]
    ) -> None:
        """Store new messages in `tx`, due at once or as scheduled.

        A recipient named twice gets a message once.
        """
        now, portal_id, kind = self._clock.now(), arrival.portal_id, arrival.kind.value
        await tx.fetch_each(
            _INSERT_MESSAGE, [_message_row(arrival, one, now) for one in submissions]
        )
        await tx.fetch_each(
            _INSERT_BODY, [(portal_id, one.id, one.envelope.content) for one in submissions]
        )
        recipients = [
            (portal_id, one.id, address, kind, one.scheduled_at or now, one.scheduled_at)
            for one in submissions
            for address in dict.fromkeys(one.envelope.recipients)
        ]
        await tx.fetch_each(_INSERT_RECIPIENT, recipients)
        # What is above is its own; the turn is everybody's, and only kept from them for this.
        await tx.lock(portal_id)
        await turns.open_turn(tx, portal_id, arrival.kind)

    async def insert_test(
        self, tx: Transaction, arrival: Arrival, message_id: str, envelope: Envelope
    ) -> None:
        """Store a new test message in `tx`; it is the portal's last one from now on."""
        submission = Submission(id=message_id, envelope=envelope, details=Details())
        await self.insert(tx, arrival, [submission])
        await tx.execute(_SET_LAST_TEST, arrival.portal_id, message_id)

    async def running_test(self, tx: Transaction, portal_id: str) -> str | None:
        """Return the id of the portal's test that has neither ended nor run out of time."""
        for message_id, accepted_at in await tx.fetch(_RUNNING_TEST, portal_id):
            if not schedule.is_over(accepted_at, self._clock.now()):
                return str(message_id)
        return None

    async def remembered(
        self, portal_id: str, owner: str | None, key: str, digest: bytes
    ) -> bytes | None:
        """Return the answer that was given to the request before, None if there was none.

        Raises `IdempotencyMismatchError` where `key` stands for another request.
        """
        return await _answer(self._database, portal_id, owner, key, digest)

    async def remember(
        self, tx: Transaction, portal_id: str, owner: str | None, asked: Idempotency
    ) -> bytes | None:
        """Keep the answer to a request in `tx`, or return the one that was given before.

        Raises `IdempotencyMismatchError` as `remembered` does.
        """
        given = await _answer(tx, portal_id, owner, asked.key, asked.digest)
        if given is None:
            row = (portal_id, owner or "", asked.key, asked.digest, asked.answer)
            if not await tx.execute(_REMEMBER, *row, self._clock.now()):
                # Another request with the key was first, and has ended since this one looked.
                return await _answer(tx, portal_id, owner, asked.key, asked.digest)
        return given


async def _answer(
    source: Database | Transaction, portal_id: str, owner: str | None, key: str, digest: bytes
) -> bytes | None:
    for known, answer in await source.fetch(_ANSWER, portal_id, owner or "", key):
        if known != digest:
            raise IdempotencyMismatchError
        return bytes(answer)
    return None


def _message_row(
    arrival: Arrival, submission: Submission, now: int
) -> tuple[str | int | None, ...]:
    envelope = submission.envelope
    return (
        arrival.portal_id,
        submission.id,
        arrival.kind.value,
        arrival.revision,
        now,
        arrival.by,
        arrival.owner,
        envelope.sender,
        int(envelope.needs_smtputf8),
        int(envelope.needs_8bit),
        len(envelope.content),
        _json.encode(submission.details).decode(),
        int(submission.at_most_once),
        submission.expires_at,
        None if envelope.dsn is None else _json.encode(envelope.dsn).decode(),
    )
