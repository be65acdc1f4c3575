"""How many checks a user may run."""

import pytest

from smarthost.tally import OwnTally
from smarthost.web.check_limit import MOST_CHECKS, WINDOW_MINUTES, CheckLimit
from smarthost.web.errors import RequestError
from tests.clocks import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limit(clock: FakeClock) -> CheckLimit:
    return CheckLimit(clock, OwnTally(), enforced=True)


def run(limit: CheckLimit, user: str = "ann") -> None:
    with limit.take(user):
        pass


def refused(limit: CheckLimit, user: str = "ann") -> RequestError:
    with pytest.raises(RequestError) as caught:
        limit.take(user)
    assert caught.value.status == 429
    return caught.value


def test_one_runs_at_a_time(limit: CheckLimit) -> None:
    with limit.take("ann"):
        assert refused(limit).headers == {"Retry-After": "5"}
        run(limit, "ben")
    run(limit)


def test_one_that_raises_has_ended_too(limit: CheckLimit) -> None:
    with pytest.raises(ZeroDivisionError), limit.take("ann"):
        raise ZeroDivisionError
    run(limit)


def test_one_whose_end_is_never_told_stands_in_the_way_for_a_minute(
    limit: CheckLimit, clock: FakeClock
) -> None:
    lost = limit.take("ann")
    clock.advance(59)
    refused(limit)
    clock.advance(1)
    with limit.take("ann"):
        with lost:  # its late end is not the end of the other
            pass
        refused(limit)


def test_so_many_in_a_quarter_of_an_hour(limit: CheckLimit, clock: FakeClock) -> None:
    for _ in range(MOST_CHECKS):
        run(limit)
    assert refused(limit).headers == {"Retry-After": str(WINDOW_MINUTES * 60)}
    run(limit, "ben")
    clock.advance(WINDOW_MINUTES * 60)
    run(limit)


def test_switched_off_it_refuses_nothing(clock: FakeClock) -> None:
    limit = CheckLimit(clock, OwnTally(), enforced=False)
    for _ in range(2 * MOST_CHECKS):
        limit.take("ann")
