"""The bar that shows a person how far something is, and the worker that brings it further.

Commands that wait for mail to be carried are built from these two: where no service delivers,
they do so themselves.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from smarthost.cli.printing import printable

if TYPE_CHECKING:
    from smarthost.app.parts import Parts

Show = Callable[[float, str], None]
"""Takes how far it is, in percents, and what is being done."""


@contextmanager
def progress_bar(*, shown: bool) -> Iterator[Show]:
    """Give what shows a bar with words behind it, or nothing at all."""
    if not shown:
        yield lambda _percents, _words: None
        return
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        BarColumn(),
        # What comes from a relay or an application is no markup.
        TextColumn("{task.percentage:>3.0f}% {task.description}", markup=False),
    )
    # Standard error is a file's, perhaps, though the bar is on a terminal.
    errors_too = sys.stderr.isatty()
    with Progress(*columns, transient=True, redirect_stderr=errors_too) as progress:
        bar = progress.add_task("", total=100)
        yield lambda percents, words: progress.update(bar, completed=percents, description=words)


@contextmanager
def share_bar(words: str, *, shown: bool) -> Iterator[Callable[[float], None]]:
    """Give what shows which part of one thing is done, from 0 to 1."""
    with progress_bar(shown=shown) as show:
        yield lambda share: show(100 * share, words)


def say(line: str, *, error: bool = False) -> None:
    """Print a line, above the bar if there is one; `typer.echo` would write into its middle."""
    stream = sys.stderr if error else sys.stdout
    stream.write(f"{printable(line)}\n")
    stream.flush()


@asynccontextmanager
async def delivering(parts: "Parts") -> AsyncIterator[None]:
    """Carry mail meanwhile, if no other process does."""
    running = asyncio.create_task(parts.delivery.run(quiet=True))
    try:
        yield
    finally:
        parts.delivery.stop()
        await running
