"""Rows of a portal's mail, written by SQL: as many as a test wants, without a queue."""

from collections.abc import Sequence
from pathlib import Path

import apsw
import msgspec

from smarthost.database.migrate import migrations
from smarthost.mail_queue.accepted.model import Details
from smarthost.mail_queue.model import Kind, State
from tests.clocks import START

_PORTAL = "INSERT INTO portals (id, name, created_at, settings_allowed) VALUES (?1, ?1, 0, 1)"
_MESSAGE = """
INSERT INTO messages (portal_id, id, kind, accepted_at, accepted_by, owner, sender, needs_smtputf8,
                      needs_8bit, size, details, at_most_once)
VALUES (?, ?, ?, ?, 'x', ?, 's', 0, 0, 1, ?, 0)"""
_RECIPIENT = """
INSERT INTO recipients (portal_id, message_id, address, kind, state, due_at, scheduled_at,
                        attempts_count, deaths, claim, claimed_at, in_doubt, held_for, ended_at)
VALUES (?1, ?2, ?3, ?4, ?5, CASE WHEN ?5 IN ('queued', 'sending') THEN ?6 END, ?7,
        ?8, 0, CASE WHEN ?5 = 'sending' THEN 'c' END, CASE WHEN ?8 > 0 THEN 9 END, 0,
        CASE WHEN ?5 = 'held' THEN 'in_doubt' END,
        CASE WHEN ?5 IN ('sent', 'failed', 'expired', 'cancelled') THEN 9 END)"""
_ATTEMPT = """
INSERT INTO attempts (portal_id, message_id, address, attempt, started_at, result, in_doubt, step,
                      code, permanent, warnings)
VALUES (?, ?, ?, 1, 9, 'deferred', 0, 'data', 'timed_out', 0, '')"""
_json = msgspec.json.Encoder()


class RecipientRow(msgspec.Struct, frozen=True, kw_only=True):
    """One recipient of a message."""

    address: str
    state: State = State.SENT
    scheduled_at: int | None = None
    deferred: bool = False
    """It was tried, in vain."""
    due_at: int = 9


class MessageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message."""

    number: int
    """Part of the id, behind its time."""
    milliseconds: int
    """When the id was made, after the start of all test clocks."""
    recipients: Sequence[RecipientRow]
    waited: int = 0
    """Milliseconds from the making of the id to acceptance."""
    kind: Kind = Kind.MAIL
    owner: str | None = None
    details: Details = msgspec.field(default_factory=Details)

    @property
    def id(self) -> str:
        digits = f"{START // 1_000 + self.milliseconds:012x}"
        return f"{digits[:8]}-{digits[8:]}-7000-8000-{self.number:012x}"

    @property
    def accepted_at(self) -> int:
        return START + (self.milliseconds + self.waited) * 1_000


def new_store(path: Path) -> apsw.Connection:
    """Return a connection to a new store with this program's tables."""
    connection = apsw.Connection(str(path))
    for migration in migrations("sqlite"):
        connection.execute(migration.script)
    return connection


def write(connection: apsw.Connection, portal_id: str, messages: Sequence[MessageRow]) -> None:
    """Write a portal with that mail."""
    with connection:
        connection.execute(_PORTAL, (portal_id,))
        add(connection, portal_id, messages)


def add(connection: apsw.Connection, portal_id: str, messages: Sequence[MessageRow]) -> None:
    """Write mail of a portal that is there."""
    with connection:
        for one in messages:
            details = _json.encode(one.details).decode()
            row = (portal_id, one.id, one.kind.value, one.accepted_at, one.owner, details)
            connection.execute(_MESSAGE, row)
            for recipient in one.recipients:
                _write_recipient(connection, (portal_id, one.id), one.kind, recipient)


def _write_recipient(
    connection: apsw.Connection, whose: tuple[str, str], kind: Kind, one: RecipientRow
) -> None:
    attempts = int(one.deferred or one.state is State.SENDING)
    row = (one.state.value, one.due_at, one.scheduled_at, attempts)
    connection.execute(_RECIPIENT, (*whose, one.address, kind.value, *row))
    if one.deferred:
        connection.execute(_ATTEMPT, (*whose, one.address))
