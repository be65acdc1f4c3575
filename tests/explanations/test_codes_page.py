"""The page of codes says what the program does, all of it and nothing else."""

import re

from smarthost.delivery.outcome import Code
from tests.explanations.codes_page import PAGE, WARNINGS, met, written


def test_every_code_that_is_no_warning_can_be_met_and_no_warning_can() -> None:
    assert {*met(), *WARNINGS} == set(Code)
    assert not met().keys() & WARNINGS.keys()


def test_the_page_lists_every_code_in_the_order_of_the_vocabulary() -> None:
    found = re.findall(r"^\| `(\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert list(dict.fromkeys(found)) == list(Code)


def test_the_table_is_what_classification_and_catalogue_make() -> None:
    page = PAGE.read_text(encoding="utf-8")

    again = "To write it anew: .venv/bin/python -m tests.explanations.codes_page"
    assert page == written(page), again
