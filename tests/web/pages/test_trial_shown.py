"""The page that follows a test message asks itself for news, as long as there are any."""

from http import HTTPStatus

import pytest

from smarthost.clock import SystemClock
from smarthost.ids import Ids
from smarthost.web.pages.page import Html
from smarthost.web.pages.trial_shown import followed, refreshing


def page(**last: bool) -> Html:
    trial = {"last": {"completed": False, "followed": True} | last}
    return Html(page="settings", values={"trial": trial}, headers={"X-Y": "z"})


def test_a_page_is_asked_for_anew_while_the_test_that_it_follows_runs() -> None:
    assert refreshing(page()).headers == {"X-Y": "z", "Refresh": "2"}


@pytest.mark.parametrize(
    "html",
    [
        page(completed=True),
        page(followed=False),
        Html(page="settings", values={"trial": {"last": None}}),
        Html(page="settings_closed", status=HTTPStatus.FORBIDDEN),
    ],
)
def test_any_other_page_stays_as_it_is(html: Html) -> None:
    assert refreshing(html) is html


def test_the_address_says_which_test_is_followed() -> None:
    test_id = Ids(SystemClock()).new()
    assert followed(test_id, joined=False) == f"/settings?test={test_id}"
    assert followed(test_id, joined=True) == f"/settings?test={test_id}&joined"
