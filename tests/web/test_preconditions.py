import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.web.preconditions import entity_tag, revisions_that_match

REVISIONS = st.integers(0, 10**15)


@given(REVISIONS, REVISIONS)
def test_a_tag_names_its_revision_and_no_other(revision: int, other: int) -> None:
    named = revisions_that_match(entity_tag(revision))

    assert named == frozenset({revision})
    assert (other in named) == (other == revision)


@given(st.lists(REVISIONS), st.lists(REVISIONS))
def test_a_list_names_its_strong_tags(strong: list[int], weak: list[int]) -> None:
    tags = [f'W/"{number}"' for number in weak] + [f'"{number}"' for number in strong]

    assert revisions_that_match(", ".join(tags)) == frozenset(strong)


@pytest.mark.parametrize("if_match", [None, "*", " * "])
def test_none_and_a_star_match_all(if_match: str | None) -> None:
    assert revisions_that_match(if_match) is None


@pytest.mark.parametrize("if_match", ["", "7", '"07"', '"-7"', '"7', 'w/"7"', '"\u0667"', '"' * 9])
def test_anything_else_matches_nothing(if_match: str) -> None:
    assert revisions_that_match(if_match) == frozenset()


@given(st.text(st.characters(max_codepoint=255)))
def test_any_text_is_read(if_match: str) -> None:
    revisions_that_match(if_match)
