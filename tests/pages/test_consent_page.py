"""The page that somebody comes back to from a provider's, as a browser shows it."""

from playwright.sync_api import expect

from smarthost.web.api.smtp_oauth2_consent import CALLBACK_PATH
from tests.pages.browser import Browsing
from tests.pages.looks import inspect

ANSWER = f"{CALLBACK_PATH}?state=unknown&code=anything"


def test_the_page_is_fit_for_every_look(browse: Browsing) -> None:
    page = browse(ANSWER, signed_in=False)
    expect(page.get_by_role("heading")).to_have_count(1)
    assert inspect(page, "consent") == []


def test_the_page_can_be_read_without_scripts(browse: Browsing) -> None:
    page = browse(ANSWER, signed_in=False, script=False)
    expect(page.get_by_role("heading")).to_have_count(1)
