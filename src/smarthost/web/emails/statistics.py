"""The end point of what became of a portal's mail, in numbers, by the hour or the day.

The numbers are those of the whole portal, whoever sent the mail, and were counted as it happened.
So they are the administrators' alone, and stay when the mail itself is long removed.
"""

from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from smarthost.clock import MICROSECONDS, Clock, moment
from smarthost.mail_queue.statistics.model import (
    HOUR,
    LONGER_SECONDS,
    STEPS_SECONDS,
    Point,
    Tally,
)
from smarthost.mail_queue.statistics.store import StatisticsStore
from smarthost.portals.access import Action, whose_mail
from smarthost.portals.model import Caller
from smarthost.sending.moments import MomentError, parse_moment
from smarthost.web.emails.answers import Time
from smarthost.web.emails.errors import VALIDATION, EmailsError
from smarthost.web.emails.family import EMAILS
from smarthost.web.emails.operations import PATH, TAG
from smarthost.web.operations import Answer, Call, Example, Operation

MOST_POINTS = 400

_FROM, _UNTIL, _STEP = "from", "until", "step"
_LAST_YEAR = 2999
_LATEST = int(datetime.fromisoformat(f"{_LAST_YEAR + 1}-01-01T00:00Z").timestamp()) * MICROSECONDS


class Step(StrEnum):
    """What is added up in one point."""

    HOUR = "hour"
    DAY = "day"


_MICROSECONDS = {Step.HOUR: HOUR, Step.DAY: 24 * HOUR}
_POINTS = {Step.HOUR: 24, Step.DAY: 30}
_IN_SECONDS = ", ".join(map(str, STEPS_SECONDS))


class DelayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How long it took until mail was sent, told by steps."""

    p50_seconds: Annotated[
        int,
        Meta(
            description="Half of what was sent took at most so long, from its acceptance, or the "
            f"moment that it was scheduled for: one of {_IN_SECONDS}, and {LONGER_SECONDS} for "
            "anything longer."
        ),
    ]
    p95_seconds: Annotated[int, Meta(description="Likewise 95 of 100.")]


class PointAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of mail in one hour or day; the unit is one recipient of one e-mail."""

    at: Annotated[Time, Meta(description="When the hour, or day of UTC, began.")]
    sent: Annotated[int, Meta(ge=0, description="Taken by the mail server.")]
    deferred: Annotated[
        int,
        Meta(ge=0, description="Attempts that did not end it: it is tried again, or is held."),
    ]
    failed: Annotated[int, Meta(ge=0, description="Refused for good, or expired.")]
    delay: Annotated[DelayAnswer | None, Meta(description="Null where nothing was sent.")]


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """A point for each hour or day, the oldest first; those without mail are there too."""

    object: Literal["list"] = "list"
    data: list[PointAnswer]


class StatisticsApi:
    """The end point."""

    def __init__(self, statistics: StatisticsStore, clock: Clock) -> None:
        self._statistics = statistics
        self._clock = clock

    def operations(self) -> list[Operation]:
        """Return the row."""
        return [
            Operation(
                family=EMAILS,
                tag=TAG,
                action=Action.SEND_MAIL,
                operation_id="getEmailStatistics",
                method="GET",
                path=f"{PATH}/statistics",
                summary="Count e-mails by hour or day",
                description="How many were sent, deferred and failed, and how long it took; for "
                "administrators alone. What became of mail is counted in the hour in which it "
                "did, and kept for 400 days.",
                handler=self.read,
                answer=Statistics,
                query_parameters=_PERIOD,
                may_be_unprocessable=True,
                answer_examples={"hours": Example(summary="Two hours", value=_STATISTICS)},
            )
        ]

    async def read(self, call: Call[Caller]) -> Answer:
        """Answer the points. Raises `EmailsError`."""
        if whose_mail(call.caller) is not None:
            raise EmailsError(
                HTTPStatus.FORBIDDEN,
                VALIDATION,
                "Only an administrator of the portal sees what became of all its mail. Sign in "
                "as one, or use an administrator's key with the permission '*'.",
            )
        begin, end, step = _period_of(call.query, self._clock.now())
        points = await self._statistics.points(call.portal.id, begin, end, step)
        return Answer(value=Statistics(data=[_point(point) for point in points]))


def _period_of(query: dict[str, str], now: int) -> tuple[int, int, int]:
    """Return where the first point begins and the last one ends, and what each is of.

    Points are whole, so that they hold all of the time asked for. Raises `EmailsError`.
    """
    try:
        step = Step(query.get(_STEP, Step.HOUR))
    except ValueError:
        raise _wrong(_STEP, "This must be hour or day.") from None
    size = _MICROSECONDS[step]
    until = _moment(_UNTIL, query[_UNTIL], now) if _UNTIL in query else now + 1
    end = -(-until // size) * size
    begin = max(0, end - _POINTS[step] * size)
    if _FROM in query:
        since = _moment(_FROM, query[_FROM], now)
        if since >= until:
            raise _wrong(_FROM, "This must be before until, or before now.")
        begin = since // size * size
    if end - begin > MOST_POINTS * size:
        told = f"This is too long a time: at most {MOST_POINTS} hours or days are told at once."
        raise _wrong(_FROM, told)
    return begin, end, size


def _moment(name: str, text: str, now: int) -> int:
    try:
        at = parse_moment(text, now)
    except MomentError as error:
        raise _wrong(name, str(error)) from None
    if not 0 <= at < _LATEST:
        raise _wrong(name, f"This must be from 1970 to {_LAST_YEAR}.")
    return at


def _wrong(name: str, told: str) -> EmailsError:
    return EmailsError(
        HTTPStatus.UNPROCESSABLE_ENTITY, VALIDATION, f"{name}: {told}", fields={name: [told]}
    )


def _point(point: Point) -> PointAnswer:
    tally = point.tally
    return PointAnswer(
        at=moment(point.at),
        sent=tally.sent,
        deferred=tally.deferred,
        failed=tally.failed,
        delay=_delay(tally),
    )


def _delay(tally: Tally) -> DelayAnswer | None:
    median, most = tally.delay_seconds(50), tally.delay_seconds(95)
    if median is None or most is None:
        return None
    return DelayAnswer(p50_seconds=median, p95_seconds=most)


_PERIOD: dict[str, Any] = {
    _FROM: Annotated[
        datetime,
        Meta(
            description="The first hour or day is the one of this moment. ISO 8601; without a "
            "time zone: UTC. Absent: 24 hours, or 30 days, in all."
        ),
    ],
    _UNTIL: Annotated[
        datetime, Meta(description="The last one is that before this moment. Absent: now.")
    ],
    _STEP: Annotated[
        Step,
        Meta(
            description=f"`hour`, as where it is absent, or `day`, of UTC; {MOST_POINTS} at most."
        ),
    ],
}
_STATISTICS = {
    "object": "list",
    "data": [
        {
            "at": "2026-11-22T17:00:00Z",
            "sent": 412,
            "deferred": 7,
            "failed": 1,
            "delay": {"p50_seconds": 1, "p95_seconds": 30},
        },
        {"at": "2026-11-22T18:00:00Z", "sent": 0, "deferred": 0, "failed": 0, "delay": None},
    ],
}
