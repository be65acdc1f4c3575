import pytest

from smarthost.web.pages.form import Form
from smarthost.web.pages.mail_query import LogQuery, Period

ID = "01a20468-4c81-7568-b9c7-f3a45b943b40"


def query(text: str) -> LogQuery:
    return LogQuery.of(Form.of(text.encode()))


def test_an_empty_address_asks_for_the_newest_mail_and_a_day_of_charts() -> None:
    asked = query("")
    assert (asked.parameters(), asked.is_first_page) == ({"limit": "50"}, True)
    assert (asked.period, asked.path()) == (Period.DAY, "/mail")


def test_the_fields_of_the_form_are_those_of_the_api() -> None:
    asked = query(
        "search=+order+&state=failed&recipient=a%40b.example&from=2026-11-12T10:00"
        "&until=2026-11-13T10:00&chart=week"
    )
    assert asked.parameters() == {
        "limit": "50",
        "search": "order",
        "state": "failed",
        "recipient": "a@b.example",
        "accepted_after": "2026-11-12T10:00",
        "accepted_before": "2026-11-13T10:00",
    }
    assert query(asked.path().partition("?")[2]) == asked


def test_a_field_that_is_empty_asks_for_nothing() -> None:
    asked = query("search=&state=&recipient=++&from=&until=&after=")
    assert (asked.filters, asked.path(), asked.is_first_page) == ({}, "/mail", True)


def test_another_page_has_the_same_filters_and_charts() -> None:
    asked = query(f"search=a&chart=month&after={ID}")
    assert asked.path() == "/mail?search=a&chart=month"
    assert asked.path(before=ID) == f"/mail?search=a&before={ID}&chart=month"
    assert asked.here(Period.DAY) == f"/mail?search=a&after={ID}"


@pytest.mark.parametrize("chart", ["", "year", "DAY"])
def test_charts_that_there_are_not_are_those_of_a_day(chart: str) -> None:
    assert query(f"chart={chart}").period is Period.DAY


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("2026-11-12T10:00", "2026-11-12T10:00"),
        ("2026-11-12T10:00:31", "2026-11-12T10:00"),
        ("2026-11-12T10:00Z", "2026-11-12T10:00"),
        ("2026-11-12T10:00%2B02:00", "2026-11-12T08:00"),
        ("yesterday", ""),
    ],
)
def test_a_moment_is_shown_as_the_field_wants_it(typed: str, shown: str) -> None:
    asked = query(f"from={typed}")
    assert asked.shown() == {
        "search": "", "state": "", "recipient": "", "from": shown, "until": "",
    }  # fmt: skip
    assert asked.asks_for_rare
