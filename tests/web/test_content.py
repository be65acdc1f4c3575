import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.web.content import answer_type, check_body_type
from smarthost.web.errors import RequestError

TYPES = {
    "application/json": "application/json",
    "text/json": "text/json; charset=utf-8",
    "text/plain": "text/plain; charset=utf-8",
}


@given(st.text(st.characters(max_codepoint=255), max_size=2000))
def test_any_accept_is_answered_or_406(accept: str) -> None:
    with contextlib.suppress(RequestError):
        assert answer_type(accept) in TYPES.values()


@given(st.permutations(list(TYPES)), st.sets(st.integers(1, 1000), min_size=3, max_size=3))
def test_the_highest_weight_wins_wherever_it_stands(order: list[str], weights: set[int]) -> None:
    weighted = dict(zip(order, sorted(weights), strict=True))
    accept = ", ".join(f"{name};q={weight / 1000}" for name, weight in weighted.items())

    assert answer_type(accept) == TYPES[order[-1]]


@given(st.permutations(list(TYPES)))
def test_the_first_wins_among_equals(order: list[str]) -> None:
    assert answer_type(",".join(order)) == TYPES[order[0]]


@given(st.text(st.characters(max_codepoint=255)), st.text(st.characters(max_codepoint=255)))
def test_any_body_type_is_read_or_415(content_type: str, content_encoding: str) -> None:
    with contextlib.suppress(RequestError):
        check_body_type(content_type, content_encoding)
        assert "json" in content_type.lower()


def test_what_a_header_holds_beyond_a_kilobyte_is_not_kept() -> None:
    with contextlib.suppress(RequestError):
        check_body_type("application/json;" + "x" * 2000, "")
    assert answer_type("application/json" + " " * 2000 + ", text/plain;q=1") == "application/json"
    with pytest.raises(RequestError):
        answer_type("text/html" + " " * 2000 + ", application/json")
