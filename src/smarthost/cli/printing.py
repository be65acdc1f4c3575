"""What a command prints on standard output: JSON for programs, or words and tables for people.

Whatever comes from the store is shown with its control characters replaced: a portal's user may
name a key as they like, and must not write to the operator's terminal.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever msgspec encodes
    """Print `value` as one line of JSON."""
    import msgspec

    typer.echo(msgspec.json.encode(value))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on a terminal; elsewhere one line a row, with tabs between."""
    if not sys.stdout.isatty():
        for line in (headings, *(map(printable, row) for row in rows)):
            typer.echo("\t".join(line))
        return
    from rich.console import Console

    Console().print(table(headings, rows))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    """Return a table as a terminal shows it."""
    from rich.table import Table
    from rich.text import Text

    made = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def printable(text: str) -> str:
    """Return `text` with every control or invisible character replaced."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
