"""Signing in by a link in a browser: by one key, without scripts, and out of a mail program."""

import pytest
from playwright.sync_api import Page, expect

from smarthost.web.auth import COOKIE
from tests.pages.browser import Browsing
from tests.pages.desk import Desk
from tests.pages.foreign import FOREIGN, OpenForeign
from tests.pages.looks import inspect


def is_signed_in(page: Page) -> bool:
    return [cookie["name"] for cookie in page.context.cookies()] == [COOKIE]


def test_the_page_is_fit_for_every_look(browse: Browsing, desk: Desk) -> None:
    page = browse(desk.link(), signed_in=False)
    expect(page.get_by_role("main")).to_contain_text(desk.admin.email)
    assert inspect(page, "sign-in-link") == []


def test_a_link_that_has_ended_is_told_in_every_look(browse: Browsing, desk: Desk) -> None:
    ended = desk.link()
    desk.link()
    page = browse(ended, signed_in=False)
    expect(page.get_by_role("heading")).to_have_text("This link does not work any more")
    expect(page.get_by_role("main")).to_contain_text("smarthost user link")
    assert inspect(page, "sign-in-link-ended") == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_one_key_signs_in(script: bool, browse: Browsing, desk: Desk) -> None:
    page = browse(desk.link(), signed_in=False, script=script)
    expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    assert not is_signed_in(page)
    page.keyboard.press("Enter")

    page.wait_for_url("/settings")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")


def test_a_button_that_is_pressed_twice_signs_in(browse: Browsing, desk: Desk) -> None:
    page = browse(desk.link(), signed_in=False)
    page.get_by_role("button", name="Sign in").dblclick()
    page.wait_for_url("/settings")
    assert is_signed_in(page)


def test_whoever_is_signed_in_is_told_that_this_session_ends(browse: Browsing, desk: Desk) -> None:
    page = browse(desk.link())
    (before,) = page.context.cookies()
    expect(page.get_by_role("main")).to_contain_text("That session ends.")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url("/settings")
    (after,) = page.context.cookies()
    assert after["value"] != before["value"]


@pytest.mark.parametrize("host", FOREIGN)
def test_a_link_in_a_mail_program_signs_in(
    host: str, open_foreign: OpenForeign, browse: Browsing, desk: Desk
) -> None:
    page = browse(signed_in=False)
    open_foreign(host, f'<a href="{desk.url}{desk.link()}">Sign in</a>', page)
    page.get_by_role("link").click()
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/settings")
    assert is_signed_in(page)
