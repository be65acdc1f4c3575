"""`audit list` and `audit export`: what was done, by whom, and from where.

Both read what the changes themselves have written down, and change nothing. An export is made page
by page, so its size is no matter.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.audit_rows import Format
from smarthost.cli.exit_codes import UsageError
from smarthost.cli.installation import run
from smarthost.cli.new_file import Write, new_file
from smarthost.cli.options import AsJson
from smarthost.cli.printing import print_json, print_table
from smarthost.cli.progress_bar import Show, progress_bar

if TYPE_CHECKING:
    from smarthost.app.parts import Parts
    from smarthost.audit.reading.model import Record, Wanted
    from smarthost.config import Config

_MOST_LISTED = 1000

PortalName = Annotated[
    str | None,
    typer.Option("--portal", metavar="NAME", help="Those of this portal. [default: of all]"),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="Those since then: '2 hours ago', or 2026-12-24T08:00Z."),
]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Those before then, likewise.")]
Action = Annotated[
    str | None, typer.Option(metavar="ACTION", help="Those of this kind, as settings.saved.")
]
By = Annotated[
    str | None,
    typer.Option(metavar="WHO", help="What this user has done, or 'operator', all commands."),
]


@dataclass(frozen=True, kw_only=True)
class _Filters:
    """Which events are asked for, as it was typed."""

    portal: str | None
    since: str | None
    until: str | None
    action: str | None
    by: str | None


@dataclass(frozen=True, kw_only=True)
class _Exported:
    """How many events were written, and the last one's id; None: there was none."""

    events: int
    last_id: str | None


def list_events(
    *,
    since: Since = None,
    until: Until = None,
    action: Action = None,
    by: By = None,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=_MOST_LISTED, help="At most so many.")
    ] = 20,
    portal: PortalName = None,
    as_json: AsJson = False,
) -> None:
    """List what was done, newest first."""
    filters = _Filters(portal=portal, since=since, until=until, action=action, by=by)

    async def work(_config: "Config", parts: "Parts") -> "list[Record]":
        from smarthost.audit.reading.store import AuditReader

        wanted = await _wanted(parts, filters)
        return await AuditReader(parts.database).newest(wanted, limit + 1)

    found = run(work)
    if as_json:
        from smarthost.cli.audit_rows import audit_row

        print_json([audit_row(record) for record in found[:limit]])
        return
    _print_list(found[:limit])
    if len(found) > limit:
        typer.echo(f"There are more: give --limit above {limit}, or --since.", err=True)


def export(  # noqa: PLR0913 - one option for each filter
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE",
            help="Into this new file, which you alone can read. [default: standard output]",
        ),
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", metavar="|".join(Format), help="How it is written.")
    ] = Format.JSONL,
    after: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Those behind this event, the last of another export."),
    ] = None,
    since: Since = None,
    until: Until = None,
    action: Action = None,
    by: By = None,
    portal: PortalName = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write out what was done, oldest first: JSON Lines, or CSV.

    With --output, --json prints {"file", "events", "lastId"}.
    """
    if as_json and output is None and form is not Format.JSONL:
        raise UsageError("--json: Standard output has the events, as --format says. Add --output.")
    filters = _Filters(portal=portal, since=since, until=until, action=action, by=by)
    with (
        _opened(output) as write,
        progress_bar(shown=output is not None and sys.stdout.isatty() and not as_json) as show,
    ):
        exported = run(partial(_export, filters, after, form, write, show))
    if output is not None:
        _tell(output, exported, as_json=as_json)


async def _export(
    filters: _Filters,
    after: str | None,
    form: Format,
    write: Write,
    show: Show,
    _config: "Config",
    parts: "Parts",
) -> _Exported:
    from smarthost.audit.reading.store import AuditReader
    from smarthost.cli.audit_rows import header, lines

    wanted = await _wanted(parts, filters)
    exported = _Exported(events=0, last_id=after)
    write(header(form))
    async for page in AuditReader(parts.database).oldest(wanted, after):
        write(lines(form, page.records))
        events = exported.events + len(page.records)
        exported = _Exported(events=events, last_id=page.records[-1].id)
        show(100 * page.share, f"{events} events")
    return exported


@contextmanager
def _opened(output: Path | None) -> Iterator[Write]:
    """Give what writes into a new file, or to standard output."""
    if output is not None:
        with new_file(output) as write:
            yield write
        return
    yield sys.stdout.buffer.write
    sys.stdout.buffer.flush()


async def _wanted(parts: "Parts", filters: _Filters) -> "Wanted":
    """Return what is asked for. Raises `UsageError`, `NotFoundError`, `PortalNameError`."""
    from smarthost.audit.reading.model import AT_ANY_TIME, Wanted
    from smarthost.cli.choices import named_portal
    from smarthost.cli.typed_moment import typed_moment
    from smarthost.portals.store import email_key

    now, since, until = parts.clock.now(), filters.since, filters.until
    name = filters.portal
    return Wanted(
        portal_id=None if name is None else (await named_portal(parts, name)).id,
        since=0 if since is None else typed_moment("--since", since, now),
        before=AT_ANY_TIME if until is None else typed_moment("--until", until, now),
        action=filters.action,
        by=None if filters.by is None else email_key(filters.by),
    )


def _print_list(records: "Sequence[Record]") -> None:
    from smarthost.cli.audit_rows import details_text
    from smarthost.cli.rows import shown_moment

    print_table(
        ("AT", "PORTAL", "BY", "FROM", "ACTION", "SUBJECT", "DETAILS"),
        [
            (
                shown_moment(record.at),
                record.portal or "",
                record.actor,
                record.address or "",
                record.action,
                record.subject,
                details_text(record.details),
            )
            for record in records
        ],
    )


def _tell(output: Path, exported: _Exported, *, as_json: bool) -> None:
    if as_json:
        last = exported.last_id
        print_json({"file": str(output), "events": exported.events, "lastId": last})
        return
    count = "1 event is" if exported.events == 1 else f"{exported.events} events are"
    typer.echo(f"{count} in {output}.")
    if exported.last_id is not None:
        typer.echo(f"What comes next: smarthost audit export --after {exported.last_id}")
