from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.clock import MICROSECONDS
from smarthost.sending.moments import MomentError, parse_expiry, parse_moment, parse_schedule

NOW = 1_795_370_280 * MICROSECONDS  # 2026-11-22T17:58:00Z
MINUTE, HOUR, DAY = 60 * MICROSECONDS, 3600 * MICROSECONDS, 86_400 * MICROSECONDS


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("in 1 min", MINUTE),
        ("in 90 seconds", 90 * MICROSECONDS),
        ("In 5 Minutes", 5 * MINUTE),
        ("in 2 hours", 2 * HOUR),
        ("in an hour", HOUR),
        ("in a day", DAY),
        (" in 3 days ", 3 * DAY),
        ("in 1 week", 7 * DAY),
        ("in 10m", 10 * MINUTE),
        ("2026-11-22T17:58:00Z", 0),
        ("2026-11-22T19:58:30.5+01:00", HOUR + 30_500_000),
        ("2026-11-22 18:58", HOUR),
        ("2026-11-23", 6 * HOUR + 2 * MINUTE),
    ],
)
def test_a_moment_is_read(text: str, wait: int) -> None:
    assert parse_moment(text, NOW) == NOW + wait


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "tomorrow at 9am", "Friday at 3pm ET", "in 5", "in minutes", "in -1 min",
        "in 1 month", "in 1 ms", "5 minutes", "1795370280", "2026-13-01", "in 1.5 hours",
        "in 1234567 days", "in " + "1" * 10_000 + " min", "9" * 100_000, "in ٣ days",
    ],
)  # fmt: skip
def test_other_words_are_refused_and_not_guessed_at(text: str) -> None:
    with pytest.raises(MomentError, match=r"in 5 minutes|no unit of time"):
        parse_moment(text, NOW)


@given(st.text(max_size=80))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    try:
        at = parse_moment(text, NOW)
    except MomentError:
        return
    assert isinstance(at, int)


@given(st.datetimes(timezones=st.just(UTC)))
def test_iso_8601_comes_back_to_the_microsecond(told: datetime) -> None:
    at = parse_moment(told.isoformat(), NOW)
    assert at == (told - datetime(1970, 1, 1, tzinfo=UTC)) // (told.resolution)


@pytest.mark.parametrize("passed", ["2026-11-22T17:58:00Z", "2026-11-22T17:53:00Z"])
def test_what_has_just_passed_is_sent_at_once(passed: str) -> None:
    assert parse_schedule(passed, NOW) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-11-22T17:52:59Z", "has passed"),
        ("1969-01-01", "has passed"),
        ("in 31 days", "at most 30 days"),
        ("9999-12-31", "at most 30 days"),
    ],
)
def test_an_e_mail_is_scheduled_within_30_days(text: str, why: str) -> None:
    assert parse_schedule("in 30 days", NOW) == NOW + 30 * DAY
    with pytest.raises(MomentError, match=why):
        parse_schedule(text, NOW)


def test_an_e_mail_expires_after_it_is_sent() -> None:
    assert parse_expiry("in 1 hour", NOW, None) == NOW + HOUR
    assert parse_expiry("in 3 hours", NOW, NOW + 2 * HOUR) == NOW + 3 * HOUR
    for text, scheduled in (("2026-11-22T17:58:00Z", None), ("in 1 hour", NOW + HOUR)):
        with pytest.raises(MomentError, match="before it is sent"):
            parse_expiry(text, NOW, scheduled)
    with pytest.raises(MomentError, match="at most 365 days"):
        parse_expiry("in 366 days", NOW, None)
