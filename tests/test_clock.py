import time
from datetime import UTC, datetime

from smarthost.clock import MICROSECONDS, SystemClock, moment
from tests.clocks import START, FakeClock


def test_now_is_the_time_in_microseconds() -> None:
    before = time.time()
    now = SystemClock().now()
    assert before - 0.001 <= now / MICROSECONDS <= time.time() + 0.001


def test_the_monotonic_clock_does_not_go_back() -> None:
    clock = SystemClock()
    seen = [clock.monotonic() for _ in range(1000)]
    assert seen == sorted(seen)


def test_a_moment_is_exact_to_the_microsecond_and_in_utc() -> None:
    at = datetime(2026, 11, 22, 17, 57, 53, 921928, tzinfo=UTC)
    assert moment(1_795_370_273_921_928) == at
    assert moment(1_795_370_273_921_928).tzinfo is UTC


async def test_sleeping_takes_that_long_by_the_monotonic_clock() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0.05)
    assert 0.045 <= clock.monotonic() - before < 5


async def test_a_moved_clock_moves_all_its_hands() -> None:
    clock = FakeClock()
    assert datetime.fromtimestamp(START / MICROSECONDS, UTC) == datetime(2026, 1, 1, tzinfo=UTC)
    clock.advance(1.5)
    await clock.sleep(3600)
    assert (clock.now() - START, clock.monotonic()) == (3601.5 * MICROSECONDS, 3601.5)
