from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from smarthost.web.pages.mail_charts import charts_of, parameters
from smarthost.web.pages.mail_query import Period

_FIRST = datetime(2026, 11, 1, tzinfo=UTC)


def statistics(count: int, apart: timedelta) -> Any:
    return {
        "data": [
            {
                "at": (_FIRST + at * apart).isoformat().replace("+00:00", "Z"),
                "sent": at,
                "deferred": 1 if at == count - 1 else 0,
                "failed": 0,
                "delay": {"p50_seconds": 1, "p95_seconds": 604_800} if at else None,
            }
            for at in range(count)
        ]
    }


@pytest.mark.parametrize(
    ("period", "step", "given", "apart", "points"),
    [
        (Period.DAY, "hour", 24, timedelta(hours=1), 24),
        (Period.WEEK, "day", 30, timedelta(days=1), 7),
        (Period.MONTH, "day", 30, timedelta(days=1), 30),
    ],
)
def test_the_charts_are_of_the_time_that_was_chosen(
    period: Period, step: str, given: int, apart: timedelta, points: int
) -> None:
    assert parameters(period) == {"step": step}
    charts = charts_of(statistics(given, apart), period)
    assert charts.sent == sum(range(given)[-points:])
    assert (charts.deferred, charts.failed) == (1, 0)
    assert charts.rows[0].sent == max(1, given - points)  # none without mail
    assert (charts.rows[0].median, charts.rows[0].most) == ("1 s", "longer")
    assert f"{charts.sent:,} sent, 1 deferred, 0 failed" in charts.outcomes
    assert len(charts.outcomes) + len(charts.delays) < 12_000
