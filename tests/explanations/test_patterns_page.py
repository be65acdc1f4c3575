"""The page of patterns lists all of them as they are."""

from tests.explanations.patterns_page import PAGE, written


def test_the_table_is_what_the_patterns_make() -> None:
    page = PAGE.read_text(encoding="utf-8")

    again = "To write it anew: .venv/bin/python -m tests.explanations.patterns_page"
    assert page == written(page), again
