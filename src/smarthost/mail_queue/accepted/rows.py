"""Rows of what was accepted, made into values: one place for the order of their columns."""

import msgspec

from smarthost.database.engine import Row
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.accepted.model import Details, Message, RecipientStatus
from smarthost.mail_queue.model import Attempted, HeldFor, Kind, LastTest, State


def read_message(portal_id: str, row: Row, recipients: list[Row]) -> Message:
    """Make a message from its own eleven columns and the rows of its recipients."""
    return Message(
        portal_id=portal_id,
        id=row[0],
        kind=Kind(row[1]),
        accepted_at=row[2],
        accepted_by=row[3],
        owner=row[4],
        sender=row[5],
        size=row[6],
        details=msgspec.json.decode(row[7], type=Details),
        at_most_once=bool(row[8]),
        expires_at=row[9],
        has_body=bool(row[10]),
        recipients=tuple(map(_recipient, recipients)),
    )


def _recipient(row: Row) -> RecipientStatus:
    address, state, attempts, due_at, scheduled_at, held_for, in_doubt, ended_at, code = row
    return RecipientStatus(
        address=address,
        state=State(state),
        attempts=attempts,
        # Of one that is being sent it is the end of the worker's lease.
        due_at=due_at if state == State.QUEUED else None,
        scheduled_at=scheduled_at,
        held_for=None if held_for is None else HeldFor(held_for),
        in_doubt=bool(in_doubt),
        ended_at=ended_at,
        code=None if code is None else Code(code),
    )


def read_last_test(row: Row) -> LastTest:
    """Make a test from its own six columns and those of its attempt, which may all be null."""
    message_id, accepted_at, revision, recipient, state, step = row[:6]
    return LastTest(
        message_id=message_id,
        accepted_at=accepted_at,
        revision=revision,
        recipient=recipient,
        state=State(state),
        step=None if step is None else Step(step),
        attempt=None if row[6] is None else read_attempt(row[6:]),
    )


def read_attempt(row: Row) -> Attempted:
    """Make an attempt from its columns, from `address` on."""
    default_relay, warnings = row[13], row[16]
    return Attempted(
        address=row[0],
        attempt=row[1],
        started_at=row[2],
        microseconds=row[3],
        result=Result(row[4]),
        step=Step(row[5]),
        code=None if row[6] is None else Code(row[6]),
        permanent=bool(row[7]),
        in_doubt=bool(row[8]),
        reply=row[9],
        revision=row[10],
        relay_host=row[11],
        relay_port=row[12],
        default_relay=None if default_relay is None else bool(default_relay),
        relay_address=row[14],
        tls=row[15],
        warnings=tuple(map(Code, warnings.split(","))) if warnings else (),
    )
