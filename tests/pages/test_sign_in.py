"""Signing in and out in a browser: by keyboard, without scripts, and with a session of another."""

import re

import pytest
from playwright.sync_api import Page, expect

from smarthost.web.auth import COOKIE
from tests.contract.service import ADMIN_PASSWORD, SETTINGS
from tests.pages.browser import Browsing
from tests.pages.desk import Desk
from tests.pages.looks import inspect


def session_of(page: Page) -> str | None:
    """The token that the browser would show."""
    return next((one["value"] for one in page.context.cookies() if one["name"] == COOKIE), None)


def fill(page: Page, email: str, password: str = ADMIN_PASSWORD) -> None:
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)


def test_the_form_is_fit_for_every_look(browse: Browsing) -> None:
    assert inspect(browse("/sign-in", signed_in=False), "sign-in") == []


def test_a_wrong_password_is_told_in_every_look(browse: Browsing, desk: Desk) -> None:
    page = browse("/sign-in", signed_in=False)
    fill(page, desk.admin.email, "wrong")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("E-mail address")).to_have_value(desk.admin.email)
    expect(page.get_by_label("Password")).to_have_value("")
    expect(page.get_by_label("Password")).to_be_focused()
    assert session_of(page) is None
    assert inspect(page, "sign-in-refused") == []


def test_the_first_page_asks_who_is_there(browse: Browsing) -> None:
    expect(browse("/", signed_in=False)).to_have_url(re.compile("/sign-in$"))


def test_a_page_that_is_not_there_is_fit_for_every_look(browse: Browsing) -> None:
    page = browse("/keys/nowhere")
    expect(page.get_by_role("heading")).to_have_text("There is nothing here")
    assert inspect(page, "not-found") == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_somebody_signs_in_by_keyboard_and_comes_to_the_page_that_was_asked_for(
    script: bool, browse: Browsing, desk: Desk
) -> None:
    page = browse("/sign-in?next=/keys", signed_in=False, script=script)
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type(desk.admin.email)
    page.keyboard.press("Tab")
    page.keyboard.type(ADMIN_PASSWORD)
    page.keyboard.press("Enter")

    page.wait_for_url("/keys")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert cookie["domain"] == desk.url.removeprefix("http://").partition(":")[0]


def test_a_session_that_somebody_else_knows_ends_as_one_signs_in(
    browse: Browsing, desk: Desk
) -> None:
    page = browse("/healthz")
    known = session_of(page)
    assert known is not None
    # The form of a page that was opened before the cookie came.
    other = browse("/sign-in", signed_in=False)
    fill(other, desk.admin.email)
    other.context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url("/settings")

    assert session_of(other) not in (None, known)
    reply = desk.service.ask("GET", SETTINGS, key=known, portal=desk.portal)
    assert reply.status == 401
