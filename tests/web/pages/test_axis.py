from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.web.emails.statistics import MOST_POINTS, Step
from smarthost.web.pages.axis import compact, every, number_of, ticks


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (3, [0, 1, 2, 3]),
        (5, [0, 2, 4, 6]),
        (20, [0, 5, 10, 15, 20]),
        (21, [0, 10, 20, 30]),
        (1_999, [0, 500, 1_000, 1_500, 2_000]),
    ],
)
def test_ticks_are_numbers_that_people_count_in(most: int, expected: list[int]) -> None:
    assert ticks(most) == expected


@given(st.integers(0, 2**63))
def test_ticks_hold_the_largest_and_leave_less_than_half_the_room(most: int) -> None:
    scale = ticks(most)
    apart = scale[1]
    assert scale == [apart * at for at in range(len(scale))]
    assert str(apart).rstrip("0") in ("1", "2", "5")
    assert 2 <= len(scale) <= 5
    assert scale[-1] - apart < max(most, 1) <= scale[-1]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (1_500, "1.5k"), (20_000, "20k"), (5_000_000, "5M"), (10**19, "10E")],
)
def test_a_tick_is_told_in_few_characters(count: int, text: str) -> None:
    assert compact(count) == text


@given(st.integers(1, MOST_POINTS), st.sampled_from(Step))
def test_labels_have_room_beside_each_other(points: int, step: Step) -> None:
    assert -(-points // every(points, step, 6)) <= 6


def test_labels_keep_to_their_moments() -> None:
    at = datetime(2026, 11, 22, 18, tzinfo=UTC)
    assert number_of(at, Step.HOUR) % 6 == 0
    assert number_of(at.replace(hour=0), Step.DAY) == number_of(at, Step.HOUR) // 24
