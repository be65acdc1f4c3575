import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.clock import MICROSECONDS
from smarthost.mail_queue.model import Ended, State
from smarthost.mail_queue.statistics.model import (
    LONGER_SECONDS,
    STEPS_SECONDS,
    Tally,
    sum_of,
    tally_of,
)
from tests.mail_queue.messages import ANNA

STEPS = (*STEPS_SECONDS, LONGER_SECONDS)


def ended(*states: State) -> list[Ended]:
    return [Ended(address=ANNA, attempts=1, state=state, code=None) for state in states]


def sent_in(**by_step: int) -> tuple[int, ...]:
    """Counts of steps, which are named `s1`, `s5` and so on."""
    return tuple(by_step.get(f"s{seconds}", 0) for seconds in STEPS)


def test_each_recipient_counts_once_by_where_it_stands() -> None:
    states = (State.SENT, State.QUEUED, State.HELD, State.FAILED, State.EXPIRED, State.SENT)
    tally = tally_of(ended(*states), 0)
    assert tally == Tally(sent_by_step=sent_in(s1=2), deferred=2, failed=2)
    assert tally.sent == 2


def test_what_changes_add_is_added_step_by_step() -> None:
    one = Tally(sent_by_step=sent_in(s1=2, s30=1), deferred=1, failed=4)
    other = Tally(sent_by_step=sent_in(s1=1, s604800=5), deferred=2)
    both = Tally(sent_by_step=sent_in(s1=3, s30=1, s604800=5), deferred=3, failed=4)
    assert sum_of([one]) == one
    assert sum_of(iter([one, other])) == both


@pytest.mark.parametrize(
    ("delay", "step"),
    [
        (-3600, 1),
        (0, 1),
        (1, 1),
        (1.000001, 5),
        (30, 30),
        (31, 120),
        (86_400, 86_400),
        (86_401, LONGER_SECONDS),
        (10**9, LONGER_SECONDS),
    ],
)
def test_a_delay_counts_in_the_first_step_that_it_does_not_exceed(delay: float, step: int) -> None:
    tally = tally_of(ended(State.SENT), round(delay * MICROSECONDS))
    assert tally.sent_by_step == sent_in(**{f"s{step}": 1})


@pytest.mark.parametrize(
    ("by_step", "median", "most"),
    [
        (sent_in(s1=1), 1, 1),
        (sent_in(s1=1, s5=1), 1, 5),
        (sent_in(s1=19, s3600=1), 1, 1),
        (sent_in(s1=18, s3600=2), 1, 3600),
        (sent_in(s1=1, s604800=2), LONGER_SECONDS, LONGER_SECONDS),
        (sent_in(s30=10**15, s600=1), 30, 30),
    ],
)
def test_a_share_is_told_by_the_step_in_which_it_was_sent(
    by_step: tuple[int, ...], median: int, most: int
) -> None:
    tally = Tally(sent_by_step=by_step)
    assert (tally.delay_seconds(50), tally.delay_seconds(95)) == (median, most)


def test_where_nothing_was_sent_there_is_no_delay() -> None:
    assert Tally(deferred=3, failed=1).delay_seconds(50) is None


@given(st.lists(st.sampled_from(STEPS), min_size=1), st.integers(1, 100))
def test_the_step_is_that_of_the_recipient_in_that_place(sent: list[int], percent: int) -> None:
    counts = tuple(sent.count(step) for step in STEPS)
    place = -(-len(sent) * percent // 100)
    assert Tally(sent_by_step=counts).delay_seconds(percent) == sorted(sent)[place - 1]
