"""An event of the audit as it is printed: JSON for programs, CSV for sheets, cells for people."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from smarthost.audit.reading.model import Record
from smarthost.clock import moment

# What a spreadsheet takes for the beginning of a formula. Names of keys and user's addresses are
# whatever somebody has typed.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class Format(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    """JSON Lines: an object a line."""
    CSV = "csv"
    """RFC 4180, with a header."""


class AuditRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event."""

    id: str
    at: datetime
    portal: str | None
    actor: str
    address: str | None
    request_id: str | None
    action: str
    subject: str
    details: dict[str, object]


COLUMNS = tuple(field.encode_name for field in msgspec.structs.fields(AuditRow))


def audit_row(record: Record) -> AuditRow:
    """Return how an event is printed as JSON."""
    return AuditRow(
        id=record.id,
        at=moment(record.at),
        portal=record.portal,
        actor=record.actor,
        address=record.address,
        request_id=record.request_id,
        action=record.action,
        subject=record.subject,
        details=record.details,
    )


def header(form: Format) -> bytes:
    """Return what an export begins with."""
    return _csv([COLUMNS]) if form is Format.CSV else b""


def lines(form: Format, records: Iterable[Record]) -> bytes:
    """Return events as a part of an export."""
    rows = [audit_row(record) for record in records]
    if form is Format.JSONL:
        return msgspec.json.Encoder().encode_lines(rows)
    return _csv([_cells(row) for row in rows])


def details_text(details: dict[str, object]) -> str:
    """Return details as JSON, nothing where there are none."""
    return msgspec.json.encode(details).decode() if details else ""


def _cells(row: AuditRow) -> list[str]:
    values = msgspec.to_builtins(row) | {"details": details_text(row.details)}
    return [_harmless(values[column] or "") for column in COLUMNS]


def _harmless(cell: str) -> str:
    """Return a cell that no spreadsheet computes: an apostrophe says that it is text."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
