from hypothesis import example, given
from hypothesis import strategies as st

from smarthost.clock import MICROSECONDS
from smarthost.mail_queue.jumps import Jumps
from tests.mail_queue.clocks import HeldClock

DAY = 86_400.0


def seconds(microseconds: int) -> float:
    return microseconds / MICROSECONDS


def test_time_that_passes_is_no_jump() -> None:
    clock = HeldClock()
    jumps = Jumps(clock)
    clock.advance(DAY)
    clock.jump(30)
    assert jumps.look() == 0


def test_a_jump_is_told_once_with_its_size() -> None:
    clock = HeldClock()
    jumps = Jumps(clock)
    clock.advance(5)
    clock.jump(-3600)
    assert seconds(jumps.look()) == -3600
    assert jumps.look() == 0
    clock.jump(3600)
    assert seconds(jumps.look()) == 3600


def test_small_differences_add_up_to_a_jump() -> None:
    clock = HeldClock()
    jumps = Jumps(clock)
    told = []
    for _ in range(10):
        clock.jump(-10)
        told.append(seconds(jumps.look()))
    assert sum(told) == -80
    assert [each for each in told if each] == [-40, -40]


def test_a_clock_that_stands_still_is_one_that_jumps_back() -> None:
    clock = HeldClock()
    jumps = Jumps(clock)
    accepted_at = clock.now()
    told = 0.0
    for _ in range(600):
        clock.advance(1)
        clock.jump(-1)
        told += seconds(jumps.look())
    assert -600 <= told <= -570
    assert 0 <= seconds(jumps.age(accepted_at)) <= 600


@given(st.floats(31, 10 * 365 * DAY), st.booleans(), st.floats(0, 5 * DAY), st.floats(0, 5 * DAY))
def test_a_message_is_as_old_as_it_is_whatever_the_clock_says(
    jump: float, looked: bool, before: float, after: float
) -> None:
    clock = HeldClock()
    jumps = Jumps(clock)
    accepted_at = clock.now()
    clock.advance(before)
    clock.jump(jump)
    if looked:
        jumps.look()
    clock.advance(after)
    assert abs(seconds(jumps.age(accepted_at)) - before - after) < 0.001


def test_a_message_that_came_after_a_jump_knows_nothing_of_it() -> None:
    clock = HeldClock()
    jumps = Jumps(clock)
    clock.jump(10 * 365 * DAY)
    jumps.look()
    accepted_at = clock.now()
    clock.advance(60)
    assert seconds(jumps.age(accepted_at)) == 60


BACK_OR_AHEAD = st.one_of(st.just(0.0), st.floats(31, 1e9), st.floats(-1e9, -31))


@given(
    st.lists(st.tuples(st.floats(0, 1e5), BACK_OR_AHEAD), max_size=8),
    st.integers(0, 8),
)
@example(
    [
        (0.0, 0.0),
        (1.9958404697827064, 0.0),
        (1.2114703847037163, 0.0),
        (0.0, -31.0),
        (1.728515625, 0.0),
        (0.0, 31.0),
    ],
    5,
)
def test_no_message_is_ever_thought_older_than_it_is(
    moves: list[tuple[float, float]], accepted_after: int
) -> None:
    clock = HeldClock()
    jumps = Jumps(clock)
    accepted_at, passed = clock.now(), 0.0
    for number, (waits, jump) in enumerate(moves):
        if number == accepted_after:
            accepted_at, passed = clock.now(), 0.0
        clock.advance(waits)
        passed += waits
        clock.jump(jump)
        jumps.look()
    assert seconds(jumps.age(accepted_at)) <= passed + 0.001
