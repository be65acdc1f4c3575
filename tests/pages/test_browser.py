"""Who opens a page is who the test says, and sees it as the test says."""

import pytest
from playwright.sync_api import Page

from tests.contract.service import EMAILS, SETTINGS
from tests.journeys.sink import Sink, until
from tests.pages.browser import LOOKS, Browsing, Look
from tests.pages.desk import SENDER, Desk

_ASK = "async path => { const r = await fetch(path); return [r.status, document.cookie] }"
_SHOWN = """() => [
    innerWidth,
    matchMedia('(prefers-color-scheme: dark)').matches,
    new Date(0).getHours(),
    matchMedia('(scripting: none)').matches,
]"""


def test_who_is_signed_in_is_the_administrator_and_scripts_see_no_cookie(
    page: Page, desk: Desk
) -> None:
    page.goto("/healthz")
    assert page.evaluate(_ASK, SETTINGS) == [200, ""]


def test_who_is_not_signed_in_is_nobody(browse: Browsing) -> None:
    assert browse("/healthz", signed_in=False).evaluate(_ASK, SETTINGS)[0] == 401


@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_a_page_has_the_look_that_was_asked_for(look: Look, browse: Browsing) -> None:
    page = browse(look=look, signed_in=False, timezone="Asia/Tokyo")
    assert page.evaluate(_SHOWN) == [look.width, look.dark, 9, False]


def test_scripts_can_be_turned_off(browse: Browsing) -> None:
    page = browse(script=False, signed_in=False)
    assert page.evaluate(_SHOWN)[3] is True


def test_mail_of_a_desk_goes_out_by_its_relay(desk: Desk, relay: Sink) -> None:
    desk.save(relay.port)
    message = {"from": SENDER, "to": "jane@example.net", "subject": "x", "text": "x"}
    path = f"{EMAILS}/{desk.ask('POST', EMAILS, message)['id']}"
    until(lambda: desk.ask("GET", path)["last_event"] == "sent")
    (taken,) = relay.wait_for(1)
    assert taken.recipients == ("jane@example.net",)
