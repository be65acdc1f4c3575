import pytest

from smarthost.clock import MICROSECONDS
from smarthost.webhooks.schedule import KEPT_SECONDS, next_try, oldest_kept


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 5), (2, 30), (3, 120), (4, 600), (5, 1800), (6, 3600), (7, 3600), (1000, 3600)],
)
def test_waits_grow_to_an_hour(failures: int, seconds: int) -> None:
    assert next_try(7, failures, 0.5) == 7 + seconds * MICROSECONDS


def test_chance_moves_a_wait_by_a_quarter() -> None:
    assert [next_try(0, 6, share) for share in (0.0, 1.0)] == [
        2700 * MICROSECONDS,
        4500 * MICROSECONDS,
    ]


def test_an_event_is_kept_for_a_day() -> None:
    assert oldest_kept(KEPT_SECONDS * MICROSECONDS, None) == 0
    assert KEPT_SECONDS == 24 * 60 * 60
