"""Makes the table of `docs/submission.md` from the table of replies itself.

`python -m tests.submission.replies_page` writes it anew, after a reply has changed.
"""

from collections.abc import Iterator
from pathlib import Path

from smarthost.submission import replies
from smarthost.submission.replies import Reply

PAGE = Path(__file__).parents[2] / "docs" / "submission.md"
HEAD = ("| reply | what it says | the session |", "|---|---|---|")
# What is said where nothing is wrong needs no table.
_FIRST_ERROR = 400


def rows() -> Iterator[str]:
    """Return a row for each error, by code."""
    seen = {
        (one.code, one.enhanced or "", one.lines[0]): one
        for one in _all()
        if one.code >= _FIRST_ERROR
    }
    for code, enhanced, words in sorted(seen):
        ends = "ends" if seen[code, enhanced, words].ends else ""
        yield f"| `{code} {enhanced}` | {words.replace('{size}', '41940992')} | {ends} |"


def written(page: str) -> str:
    """Return the page with the table in it as it should be."""
    before, _, rest = page.partition(HEAD[0])
    _, _, after = rest.partition("\n\n")
    return before + "\n".join((*HEAD, *rows())) + "\n\n" + after


def _all() -> Iterator[Reply]:
    yield from (one for one in vars(replies).values() if isinstance(one, Reply))
    yield from replies.LINE_FAULTS.values()
    yield from replies.COMMAND_FAULTS.values()
    yield from replies.DATA_ENDS.values()
    yield from replies.REFUSALS.values()
    yield from replies.ERRORS.values()


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
