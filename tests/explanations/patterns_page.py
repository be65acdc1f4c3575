"""Makes the table of `docs/explanations.md` from the patterns and their words.

`python -m tests.explanations.patterns_page` writes it anew, after a pattern or a text has changed.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from smarthost.explanations.patterns import Pattern, Patterns
from smarthost.explanations.words import Words
from tests.explanations.page import ending_in

PAGE = Path(__file__).parents[2] / "docs" / "explanations.md"
HEAD = ("| pattern | codes | when | title |", "|---|---|---|---|")
_SHOWN = 3
"""Phrases of a pattern that are shown; the rest is in the file."""


def rows() -> list[str]:
    """Return a row for each pattern, in their order."""
    return [_row(pattern) for pattern in Patterns.load().all]


def _row(pattern: Pattern) -> str:
    title = (
        Words.load()
        .patterns[pattern.id]
        .title.format(server="the mail server", Server="The mail server", provider="The provider")
    )
    cells = (f"`{pattern.id}`", _listed(pattern.codes), "; ".join(_when(pattern)), title)
    return f"| {' | '.join(cells)} |"


def _when(pattern: Pattern) -> Iterator[str]:
    if pattern.providers:
        yield f"the provider is {_listed(sorted(pattern.providers))}"
    if pattern.ports:
        yield f"the port is {_listed(map(str, sorted(pattern.ports)))}"
    if pattern.login is not None:
        yield f"{'a' if pattern.login else 'no'} login is asked for"
    if pattern.reply_codes:
        yield f"the code is {_listed(map(str, sorted(pattern.reply_codes)))}"
    if pattern.enhanced:
        yield f"the status code is {_listed(sorted(pattern.enhanced))}"
    if pattern.says:
        more = ", …" if len(pattern.says) > _SHOWN else ""
        yield f"it says {_listed(pattern.says[:_SHOWN])}{more}"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def written(page: str) -> str:
    """Return the page with the table as it has to be."""
    return ending_in(HEAD, rows(), page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
