"""An attempt as a row, and back: the order of columns that the store's statements share."""

from smarthost.database.engine import Row, Value
from smarthost.delivery.outcome import Code, Result, Step
from smarthost.mail_queue.model import Attempted, LastTest, State


def attempt_row(attempted: Attempted) -> tuple[Value, ...]:
    """Return the values of an attempt from `address` on, in the order of its statements."""
    default_relay = attempted.default_relay
    return (
        attempted.address,
        attempted.attempt,
        attempted.started_at,
        attempted.microseconds,
        attempted.result.value,
        attempted.step.value,
        None if attempted.code is None else attempted.code.value,
        int(attempted.permanent),
        int(attempted.in_doubt),
        attempted.reply,
        attempted.revision,
        attempted.relay_host,
        attempted.relay_port,
        None if default_relay is None else int(default_relay),
        attempted.relay_address,
        attempted.tls,
        ",".join(attempted.warnings),
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
        attempt=None if row[6] is None else _attempted(row[6:]),
    )


def _attempted(row: Row) -> Attempted:
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
