"""`queue`: how the mail of all portals stands, again every second where a person looks on."""

import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from smarthost.cli.installation import run
from smarthost.cli.options import AsJson
from smarthost.cli.printing import print_json, print_table, printable, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from smarthost.app.parts import Parts
    from smarthost.cli.queue_value import QueueRow
    from smarthost.config import Config

_SECONDS = 1.0
_STATES = ("sending", "held", "sent", "failed", "expired", "cancelled")
_HEADINGS = (
    "PORTAL", "RELAY", "QUEUED", "SCHEDULED", *map(str.upper, _STATES), "OLDEST", "ON HOLD"
)  # fmt: skip
_NONE = "There is no mail, and no relay that takes none."


def queue(
    *,
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how the mail of all portals stands: recipients by state, and why mail waits.

    On a terminal it is shown anew every second until Ctrl-C.
    """
    if not once and not as_json and sys.stdout.isatty():
        _watch()
        return

    async def work(_config: "Config", parts: "Parts") -> None:
        from smarthost.cli.queue_value import queue_value

        rows = await queue_value(parts)
        if as_json:
            print_json(rows)
        else:
            _print(rows, parts.clock.now())

    run(work)


def _watch() -> None:
    """Show it until Ctrl-C."""
    from rich.live import Live

    async def work(_config: "Config", parts: "Parts") -> None:
        from smarthost.cli.queue_value import queue_value

        with Live(auto_refresh=False) as live:
            while True:
                rows = await queue_value(parts)
                live.update(_picture(rows, parts.clock.now()), refresh=True)
                await parts.clock.sleep(_SECONDS)

    try:
        run(work)
    except KeyboardInterrupt:
        return


def _print(rows: "Sequence[QueueRow]", now: int) -> None:
    print_table(_HEADINGS, [_cells(row, now) for row in rows])
    if sys.stdout.isatty():
        for line in _words(rows):
            typer.echo(printable(line))


def _picture(rows: "Sequence[QueueRow]", now: int) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    lines = (Text(printable(line)) for line in _words(rows))
    return Group(table(_HEADINGS, [_cells(row, now) for row in rows]), *lines)


def _cells(row: "QueueRow", now: int) -> list[str]:
    from smarthost.clock import moment
    from smarthost.mail_queue.model import State

    counts = {state: str(count) for state, count in row.recipients.items()}
    # What is scheduled is queued as well, and told apart here.
    counts[State.QUEUED] = str(max(0, row.recipients[State.QUEUED] - row.scheduled))
    age = "" if row.oldest_queued_at is None else _age(moment(now) - row.oldest_queued_at)
    relay = row.relay or "none"
    return [
        row.portal,
        f"{relay} (default)" if row.default_relay else relay,
        counts[State.QUEUED],
        str(row.scheduled),
        *(counts[State(state)] for state in _STATES),
        age,
        _why(row),
    ]


def _why(row: "QueueRow") -> str:
    if row.suspended_at is not None:
        return "Suspended"
    return "" if row.hold is None else row.hold.failure.title


def _words(rows: "Sequence[QueueRow]") -> Iterator[str]:
    """Give lines that say why mail waits, and what is to be done."""
    from smarthost.cli.rows import shown_time

    if not rows:
        yield _NONE
    if restored := sum(row.restored for row in rows):
        yield ""
        yield from _about_restored(restored)
    for row in rows:
        if row.suspended_at is not None:
            yield ""
            yield f"{row.portal}: suspended since {shown_time(row.suspended_at)}."
            yield f"  To let it go on: smarthost portal resume {row.portal}"
        if row.hold is None:
            continue
        failure = row.hold.failure
        yield ""
        yield (
            f"{row.portal}: on hold since {shown_time(row.hold.since)}, tried "
            f"{_times(row.hold.failures)}, next at {shown_time(row.hold.next_try_at)}."
        )
        yield f"  {failure.title}. {failure.why}"
        if failure.fix:
            yield f"  {failure.fix}"
        if failure.link:
            yield f"  More about it: {failure.link}"
        if failure.reply:
            yield f"  The mail server said: {failure.reply}"


def _about_restored(count: int) -> Iterator[str]:
    from smarthost.app.restored import CANCEL, RELEASE

    are = "1 recipient is" if count == 1 else f"{count} recipients are"
    yield f"{are} held: the mail comes out of a back-up, and may have been sent since."
    yield f"  Send it:   {RELEASE}"
    yield f"  Forget it: {CANCEL}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _age(age: timedelta) -> str:
    """Return how long ago something was, in its two largest units."""
    seconds = max(0, int(age.total_seconds()))
    units = [
        (seconds // 86_400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    ]
    while len(units) > 1 and units[0][0] == 0:
        units.pop(0)
    return " ".join(f"{count} {unit}" for count, unit in units[:2])
