"""Makes the tables of `docs/broken-setups.md` from the set-ups that the tests build.

`python -m tests.broken_setups.page` writes them anew, after a set-up has changed.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.broken_setups.set_up import BrokenSetUp, Found
from tests.broken_setups.table import CHAPTERS
from tests.broken_setups.typed_rows import FIELDS, TYPED_ROWS, Typed, refused

PAGE = Path(__file__).parents[2] / "docs" / "broken-setups.md"
_HEAD = (
    "| what is wrong | how the tests build it | step | code | what to look at | waiting |",
    "|---|---|---|---|---|---|",
)
_TYPED_HEAD = ("| what is wrong | entered | field | what is said |", "|---|---|---|---|")
_FIRST = next(iter(CHAPTERS))


def _lines() -> Iterator[str]:
    for title, rows in CHAPTERS.items():
        yield from (f"## {title}", "", *_HEAD, *map(_row, rows), "")
    yield from ("## What is refused when it is entered", "", *_TYPED_HEAD)
    yield from (*map(_typed_row, TYPED_ROWS), "")


def _typed_row(row: Typed) -> str:
    ((_, messages),) = refused(row).items()
    value = "nothing" if row.value in {None, ""} else f"`{row.value}`"
    return f"| {row.name} | {value} | `{FIELDS[row.field]}` | {' '.join(messages)} |"


def _row(row: BrokenSetUp) -> str:
    name = row.name + (" *" if row.found is Found.AT_DATA else "")
    fields = ", ".join(f"`{field}`" for field in row.fields)
    built = row.server.built
    if row.sign_in is not None:
        built = f"{row.sign_in.built}; {built}"
    cells = (name, built, row.step, f"`{row.code}`", fields, _waiting(row))
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _waiting(row: BrokenSetUp) -> str:
    if row.found is Found.WARNED:
        return "a warning"
    return "does not help" if row.permanent else "may help"


def written(page: str) -> str:
    """Return the page with the tables as they have to be."""
    before, head, _ = page.partition(f"## {_FIRST}\n")
    if not head:
        raise ValueError("The page has no tables.")
    return before + "\n".join(_lines())


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
