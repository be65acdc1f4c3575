"""Pages give the same advice as the API, in words for people."""

import re

import pytest

from smarthost.explanations.page_words import page_words
from smarthost.explanations.words import Words
from smarthost.web.pages.field_names import without_names


def test_no_advice_of_the_catalogue_names_a_field_as_programs_do() -> None:
    words = Words.load()
    fields = page_words("settings")["fields"]
    advice = [text.fix for text in (*words.codes.values(), *words.patterns.values())]
    named = re.compile(rf"\b(?:{'|'.join(name for name in fields if not name.islower())})\b")
    assert any(named.search(text) for text in advice)
    for text in map(without_names, advice):
        assert not named.search(text)
        assert not re.search(r"\((?:host|port)\)", text)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("Check the host (host) for a typing error.", "Check the host for a typing error."),
        ("Check the port (port), now 25: 587 is usual.", "Check the port, now 25: 587 is usual."),
        ("Ask the operator to allow it (SMARTHOST_NTLM).",) * 2,
        ("Set up SPF (SPF, DKIM) and (host",) * 2,
        ("",) * 2,
    ],
)
def test_what_else_stands_in_brackets_stays(told: str, shown: str) -> None:
    assert without_names(told) == shown
