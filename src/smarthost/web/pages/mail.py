"""The delivery log: the portal's mail, newest first, with what became of it.

Administrators see all of it, whether it waits for the relay, and charts; other users what they
have sent themselves. The page asks the API for a page of mail at a time, so it costs the same
however much there is.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from smarthost.clock import moment
from smarthost.ids import made_at
from smarthost.mail_queue.mail_log.model import Standing
from smarthost.web.pages import mail_charts
from smarthost.web.pages.mail_query import AT_ONCE, FILTERS, LogQuery, Period
from smarthost.web.pages.mail_rows import KINDS, rows_of
from smarthost.web.pages.page import AskedInVainError, Html, Page, PageCall, Redirect
from smarthost.web.pages.paths import MAIL

_PAGE = "mail"
_NOT_THEIRS = (HTTPStatus.FORBIDDEN, HTTPStatus.PAYMENT_REQUIRED)
_FIELDS = {parameter: field for field, parameter in FILTERS.items()}
_NOTHING: Mapping[str, Any] = {"data": [], "next": None}


class MailPages:
    """The page of the log."""

    async def show(self, call: PageCall) -> Html | Redirect:
        """Show a page of mail; what is wrong with the filters is said beside them."""
        query = LogQuery.of(call.query)
        try:
            page = (await call.ask("listEmails", query=query.parameters())).value
        except AskedInVainError as vain:
            if vain.refusal.status is not HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            faults = vain.refusal.fields or {"": [vain.refusal.message]}
            values = await _values(call, query, _NOTHING, faults)
            return Html(page=_PAGE, values=values, status=vain.refusal.status)
        if "before" in query.cursors and page["next"] is None:
            return Redirect(to=query.path())  # the newest page, which then is a full one
        return Html(page=_PAGE, values=await _values(call, query, page, {}))

    def pages(self) -> list[Page]:
        """Return the rows of the table of pages."""
        return [Page(method="GET", path=MAIL, handler=self.show)]


async def _values(
    call: PageCall,
    query: LogQuery,
    page: Mapping[str, Any],
    faults: Mapping[str, list[str]],
) -> dict[str, object]:
    named = {_FIELDS.get(name, name): messages for name, messages in faults.items()}
    return {
        "rows": rows_of(page["data"]),
        "kinds": KINDS,
        "filters": query.shown(),
        "states": [standing.value for standing in Standing],
        "is_filtered": bool(query.filters),
        "asks_for_rare": query.asks_for_rare,
        "faults": named,
        "other_faults": [
            message for name, told in named.items() if name not in FILTERS for message in told
        ],
        "is_live": query.is_first_page and not faults,
        "clear": LogQuery(filters={}, cursors={}, period=query.period).path(),
        "period": query.period.value,
        "periods": {period.value: query.here(period) for period in Period},
        "health": await _if_theirs(call, "getSmtpHealth"),
        "charts": await _charts(call, query.period),
        **_paging(query, page),
    }


async def _charts(call: PageCall, period: Period) -> mail_charts.Charts | None:
    asked = mail_charts.parameters(period)
    statistics = await _if_theirs(call, "getEmailStatistics", asked)
    return None if statistics is None else mail_charts.charts_of(statistics, period)


async def _if_theirs(
    call: PageCall, operation_id: str, query: Mapping[str, str] | None = None
) -> Mapping[str, Any] | None:
    """Return what administrators are told, None for others and where it is switched off."""
    if not call.is_administrator:
        return None
    try:
        value: Mapping[str, Any] = (await call.ask(operation_id, query=query)).value
    except AskedInVainError as vain:
        if vain.refusal.status in _NOT_THEIRS:
            return None
        raise
    return value


def _paging(query: LogQuery, page: Mapping[str, Any]) -> dict[str, object]:
    """Return the ways to newer and older mail, and how far was looked where that was bounded."""
    data, on = page["data"], page["next"]
    newer = query.path(before=data[0]["id"]) if data and not query.is_first_page else None
    older = query.path(after=on) if on else None
    if "before" in query.cursors:
        newer = query.path(before=on) if on else None
        older = query.path(after=data[-1]["id"]) if data else None
    return {
        "newest": None if query.is_first_page else query.path(),
        "newer": newer,
        "older": older,
        "looked_to": _time_of(on) if on and len(data) < AT_ONCE else None,
        "looked_forward": "before" in query.cursors,
    }


def _time_of(message_id: str) -> str:
    """Return when a message was accepted, about, as its id has it."""
    return moment(made_at(message_id)).isoformat()
