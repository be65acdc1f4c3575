import pytest

from smarthost.clock import MICROSECONDS
from smarthost.tally import OwnTally
from smarthost.web.rate_limit import RateLimit


class Stopped:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = 1_000_000_020 * MICROSECONDS

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


@pytest.fixture
def clock() -> Stopped:
    return Stopped()


def test_requests_count_down_to_the_refusal(clock: Stopped) -> None:
    limit = RateLimit(clock, OwnTally(), enforced=True, limit=3)
    quotas = [limit.take("a") for _ in range(5)]

    assert [quota.remaining for quota in quotas] == [2, 1, 0, 0, 0]
    assert [quota.exceeded for quota in quotas] == [False, False, False, True, True]
    assert {quota.limit for quota in quotas} == {3}


def test_subjects_do_not_touch_each_other(clock: Stopped) -> None:
    limit = RateLimit(clock, OwnTally(), enforced=True, limit=1)
    limit.take("a")

    assert not limit.take("b").exceeded
    assert limit.take("a").exceeded


def test_the_next_minute_begins_anew(clock: Stopped) -> None:
    limit = RateLimit(clock, OwnTally(), enforced=True, limit=1)
    first = limit.take("a")
    assert first.reset == 1_000_000_020 - 1_000_000_020 % 60 + 60

    clock.time = first.reset * MICROSECONDS - 1
    assert limit.take("a").exceeded
    clock.time += 1
    assert not limit.take("a").exceeded


def test_a_window_may_be_longer_than_a_minute(clock: Stopped) -> None:
    limit = RateLimit(clock, OwnTally(), enforced=True, limit=1, window_seconds=900)
    reset = limit.take("a").reset
    assert reset % 900 == 0

    clock.time = reset * MICROSECONDS - 1
    assert limit.take("a").exceeded
    clock.time += 1
    assert not limit.take("a").exceeded


def test_a_clock_that_is_set_back_refuses_nobody(clock: Stopped) -> None:
    limit = RateLimit(clock, OwnTally(), enforced=True, limit=1)
    limit.take("a")
    clock.time -= 3600 * MICROSECONDS

    assert not limit.take("a").exceeded


def test_switched_off_it_counts_and_refuses_nothing(clock: Stopped) -> None:
    limit = RateLimit(clock, OwnTally(), enforced=False, limit=1)
    quotas = [limit.take("a") for _ in range(3)]

    assert [(quota.remaining, quota.exceeded) for quota in quotas] == [(0, False)] * 3


def test_a_flood_of_subjects_shares_one_counter(clock: Stopped) -> None:
    limit = RateLimit(clock, OwnTally(), enforced=True, limit=2)
    for number in range(100_000):
        limit.take(str(number))

    assert [limit.take(f"late {number}").exceeded for number in range(3)] == [False, False, True]
    assert not limit.take("7").exceeded
