"""What the address of the mail log says: which mail is meant, from where on, and which charts.

The address is the whole state of the page, so that it can be kept as a bookmark and sent to a
colleague. A field that is empty asks for nothing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import urlencode

import msgspec

from smarthost.web.pages.form import Form
from smarthost.web.pages.paths import MAIL

AT_ONCE = 50
"""Messages on a page."""

FILTERS = {
    "search": "search",
    "state": "state",
    "recipient": "recipient",
    "from": "accepted_after",
    "until": "accepted_before",
}
"""The fields of the form, and the parameters of `listEmails` that they are."""
_RARE = frozenset({"recipient", "from", "until"})
_CURSORS = ("after", "before")
_CHART = "chart"
_MINUTES = "%Y-%m-%dT%H:%M"


class Period(StrEnum):
    """The time that the charts show."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the address, as they were given."""

    filters: Mapping[str, str]
    """Only those that ask for something."""
    cursors: Mapping[str, str]
    """`after` or `before`: ids of messages."""
    period: Period

    @classmethod
    def of(cls, query: Form) -> "LogQuery":
        """Read the query of an address."""
        given = {name: query.text(name).strip() for name in (*FILTERS, *_CURSORS)}
        asked = {name: value for name, value in given.items() if value}
        chart = query.text(_CHART)
        return cls(
            filters={name: asked[name] for name in FILTERS if name in asked},
            cursors={name: asked[name] for name in _CURSORS if name in asked},
            period=Period(chart) if chart in set(Period) else Period.DAY,
        )

    @property
    def is_first_page(self) -> bool:
        """Whether the newest messages are asked for."""
        return not self.cursors

    @property
    def asks_for_rare(self) -> bool:
        """Whether one of the fields is filled that the form keeps behind a click."""
        return not _RARE.isdisjoint(self.filters)

    def parameters(self) -> dict[str, str]:
        """Return what `listEmails` is asked."""
        filters = {FILTERS[name]: value for name, value in self.filters.items()}
        return {"limit": str(AT_ONCE), **filters, **self.cursors}

    def shown(self) -> dict[str, str]:
        """Return what the form's fields show; those of a time want minutes of UTC."""
        shown = dict.fromkeys(FILTERS, "") | dict(self.filters)
        return shown | {name: _in_minutes(shown[name]) for name in ("from", "until")}

    def path(self, *, period: Period | None = None, **cursors: str) -> str:
        """Return the address of another page of the same mail, by default of the newest."""
        chart = period or self.period
        asked = {**self.filters, **cursors}
        if chart is not Period.DAY:
            asked[_CHART] = chart.value
        return f"{MAIL}?{urlencode(asked)}" if asked else MAIL

    def here(self, period: Period) -> str:
        """Return the address of this very page with other charts."""
        return self.path(period=period, **self.cursors)


def _in_minutes(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is None else at.astimezone(UTC)).strftime(_MINUTES)
    except (ValueError, OverflowError):  # in UTC a year that there is not
        return ""  # no such field could show it
