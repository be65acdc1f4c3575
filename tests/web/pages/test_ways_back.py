"""Nobody who reloads what a form was answered, or signs in again there, ends at nothing."""

from http import HTTPStatus

import pytest

from smarthost.portals.model import User
from tests.web.pages.visitor import Visitor

MESSAGE = "/mail/01912345-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/settings/check", "/settings"),
        ("/settings/offers", "/settings"),
        ("/settings/test?x", "/settings"),
        ("/settings/oauth2/authorize", "/settings/oauth2"),
        ("/history/7/restore", "/history"),
        (f"{MESSAGE}/retry", MESSAGE),
        ("/mail/%0d%0aX:%20y%5C/cancel", "/mail/%0D%0AX%3A%20y%5C"),
        ("/keys/7/revoke", "/keys"),
    ],
)
def test_where_forms_are_sent_to_one_is_led_to_the_page_that_has_them(
    visitor: Visitor, path: str, page: str
) -> None:
    reply = visitor.get(path)
    assert (reply.status, reply.headers["Location"]) == (HTTPStatus.SEE_OTHER, page)
    assert visitor.is_signed_in()


def test_a_session_that_ended_below_a_refused_form_comes_back_to_the_form(
    stranger: Visitor, admin: User
) -> None:
    host = stranger.service.host(stranger.portal)
    shown = f"http://{host}/settings/check"
    sent = stranger.post("/settings/check", {}, Referer=shown)
    assert sent.headers["Location"] == "/sign-in?done=ended&next=/settings/check"
    assert stranger.sign_in(admin, "/settings/check").headers["Location"] == "/settings/check"
    assert stranger.get("/settings/check").headers["Location"] == "/settings"
