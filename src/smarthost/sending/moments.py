"""Moments in words: ISO 8601, or `in 5 minutes`.

Other words are refused and not guessed at: `tomorrow at 9am` means another moment in every time
zone, and an e-mail at the wrong hour is worse than an error.
"""

import re
from datetime import UTC, datetime

from smarthost.clock import MICROSECONDS

MOST_DAYS = 30
"""How far ahead an e-mail can be scheduled."""
MOST_DAYS_TO_EXPIRE = 365

_DAY = 24 * 3600
_LONGEST = 64
_SECONDS = {
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600,
    "d": _DAY, "day": _DAY, "days": _DAY,
    "w": 7 * _DAY, "week": 7 * _DAY, "weeks": 7 * _DAY,
}  # fmt: skip
_FROM_NOW = re.compile(r"in\s+(an?|[0-9]{1,6})\s*([a-z]+)", re.IGNORECASE | re.ASCII)
# Clocks differ: what has just passed on one is still to come on another.
_JUST_PASSED = 300 * MICROSECONDS


class MomentError(ValueError):
    """The text names no moment that can be taken; the message says what is allowed."""


def parse_moment(text: str, now: int) -> int:
    """Return the moment that `text` names, in microseconds since 1970, UTC, as `now` is.

    `in N seconds`, `minutes`, `hours`, `days` or `weeks` (also their short forms and `in an
    hour`), or a date and time of ISO 8601; without a time zone it is UTC's. Raises `MomentError`.
    """
    text = text.strip() if len(text) <= _LONGEST else ""
    if found := _FROM_NOW.fullmatch(text):
        return now + _from_now(*found.groups()) * MICROSECONDS
    try:
        return parse_date_time(text)
    except MomentError:
        raise MomentError(
            "This is no moment that is understood here. Write it as in ISO 8601, "
            "2026-11-22T17:57:53Z, or as 'in 5 minutes', 'in 2 hours' or 'in 3 days'."
        ) from None


def parse_date_time(text: str) -> int:
    """Return the moment that a date, or a date and time, of ISO 8601 names, as `parse_moment`.

    Without a time it is the beginning of the day. Raises `MomentError`.
    """
    try:
        told = datetime.fromisoformat(text if len(text) <= _LONGEST else "")
        return _microseconds(told if told.tzinfo else told.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise MomentError(
            "This is no moment that is understood here. Write it as in ISO 8601, "
            "2026-11-22T17:57:53Z."
        ) from None


def parse_schedule(text: str, now: int) -> int | None:
    """Return when an e-mail is to be sent, None for at once, which a moment just passed is too.

    Raises `MomentError`, also for what is further in the past or more than 30 days ahead.
    """
    at = parse_moment(text, now)
    if at < now - _JUST_PASSED:
        raise MomentError("This moment has passed. Name one that is still to come.")
    if at > now + MOST_DAYS * _DAY * MICROSECONDS:
        raise MomentError(f"This is too far ahead: at most {MOST_DAYS} days.")
    return at if at > now else None


def parse_expiry(text: str, now: int, scheduled_at: int | None) -> int:
    """Return when an e-mail is of no use any more.

    Raises `MomentError`, also for what is not behind the moment that it is sent at, or more than
    365 days ahead.
    """
    at = parse_moment(text, now)
    if at > now + MOST_DAYS_TO_EXPIRE * _DAY * MICROSECONDS:
        raise MomentError(f"This is too far ahead: at most {MOST_DAYS_TO_EXPIRE} days.")
    if at <= (scheduled_at or now):
        raise MomentError("It would expire before it is sent. Name a later moment.")
    return at


def _from_now(count: str, unit: str) -> int:
    seconds = _SECONDS.get(unit.lower())
    if seconds is None:
        raise MomentError(
            f"'{unit}' is no unit of time here. Take seconds, minutes, hours, days or weeks."
        )
    return seconds * (int(count) if count.isdigit() else 1)


def _microseconds(told: datetime) -> int:
    since = told - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * _DAY + since.seconds) * MICROSECONDS + since.microseconds
