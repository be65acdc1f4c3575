"""The charts of the mail log: what became of the portal's mail, in one of three times.

The numbers are those of `getEmailStatistics`, by hours for a day and by days of UTC for longer, so
that a chart has at most 30 points. Beside the charts stand the same numbers as a table.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from markupsafe import Markup

from smarthost.explanations.page_words import Entries, Entry, filled, page_words
from smarthost.web.emails.statistics import PointAnswer, Step
from smarthost.web.pages.chart import (
    DelayWords,
    OutcomeWords,
    Row,
    delays_chart,
    outcomes_chart,
    rows,
)
from smarthost.web.pages.mail_query import Period

_WORDS = "mail_charts"
_DAYS = {Period.WEEK: 7, Period.MONTH: 30}


class Charts(msgspec.Struct, frozen=True, kw_only=True):
    """What a page shows of the portal's numbers."""

    period: Period
    sent: int
    deferred: int
    failed: int
    outcomes: Markup
    delays: Markup
    rows: Sequence[Row]
    """The oldest first; those without mail are left out."""
    by_hour: bool


def parameters(period: Period) -> dict[str, str]:
    """Return what `getEmailStatistics` is asked: the last 24 hours, or days enough."""
    return {"step": _step(period).value}


def charts_of(statistics: Mapping[str, Any], period: Period) -> Charts:
    """Return the charts of an answer in the API's shape."""
    points = msgspec.convert(statistics["data"], list[PointAnswer])[-_DAYS.get(period, 24) :]
    step, words = _step(period), page_words(_WORDS)
    sent = sum(point.sent for point in points)
    deferred = sum(point.deferred for point in points)
    failed = sum(point.failed for point in points)
    totals = {"sent": f"{sent:,}", "deferred": f"{deferred:,}", "failed": f"{failed:,}"}
    steps = words["steps"]
    assert isinstance(steps, dict)  # noqa: S101 - the catalogue's own
    return Charts(
        period=period,
        sent=sent,
        deferred=deferred,
        failed=failed,
        outcomes=outcomes_chart(points, step, _outcome_words(words, totals)),
        delays=delays_chart(points, step, _delay_words(words, steps)),
        rows=[row for row in rows(points, steps) if row.sent or row.deferred or row.failed],
        by_hour=step is Step.HOUR,
    )


def _step(period: Period) -> Step:
    return Step.HOUR if period is Period.DAY else Step.DAY


def _outcome_words(words: Entries, totals: Mapping[str, str]) -> OutcomeWords:
    return OutcomeWords(
        title=_text(words["outcomes_title"]),
        description=filled(_text(words["outcomes_description"]), **totals),
        sent=_text(words["sent"]),
        deferred=_text(words["deferred"]),
        failed=_text(words["failed"]),
        empty=_text(words["no_outcomes"]),
    )


def _delay_words(words: Entries, steps: Mapping[str, str]) -> DelayWords:
    return DelayWords(
        title=_text(words["delays_title"]),
        description=_text(words["delays_description"]),
        median=_text(words["median"]),
        most=_text(words["most"]),
        empty=_text(words["no_delays"]),
        steps=steps,
    )


def _text(entry: Entry) -> str:
    assert isinstance(entry, str)  # noqa: S101 - the catalogue's own
    return entry
