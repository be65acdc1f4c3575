"""Rows and values: the order of an attempt's columns, and what a sender asked to be told."""

import msgspec

from smarthost.database.engine import Value
from smarthost.mail.dsn import Dsn
from smarthost.mail_queue.model import Attempted

_dsn = msgspec.json.Decoder(Dsn)


def read_dsn(column: str) -> Dsn:
    """Return what `messages.dsn` holds, where it is not null."""
    return _dsn.decode(column)


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
