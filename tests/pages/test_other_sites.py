"""What pages of another site can do with a visitor who is signed in here: link to us, no more."""

from http import HTTPStatus

import pytest
from playwright.sync_api import Page, expect

from smarthost.web.auth import COOKIE
from tests.contract.service import ADMIN_PASSWORD, SETTINGS
from tests.pages.browser import Browsing
from tests.pages.desk import Desk
from tests.pages.foreign import FOREIGN, OpenForeign, form, go
from tests.pages.guard import Guard

from_elsewhere = pytest.mark.parametrize("host", FOREIGN)


@from_elsewhere
def test_nobody_is_signed_in_by_another_site(
    host: str, open_foreign: OpenForeign, browse: Browsing, desk: Desk
) -> None:
    page = browse(signed_in=False)
    fields = {"email": desk.admin.email, "password": ADMIN_PASSWORD}
    open_foreign(host, form(desk, "/sign-in", **fields), page)

    assert go(page).status == HTTPStatus.FORBIDDEN
    assert page.context.cookies() == []


@from_elsewhere
def test_nobody_is_signed_out_by_another_site(
    host: str, open_foreign: OpenForeign, page: Page, desk: Desk
) -> None:
    (cookie,) = page.context.cookies()
    open_foreign(host, form(desk, "/sign-out"), page)

    assert go(page).status == HTTPStatus.FORBIDDEN
    assert page.context.cookies() == [cookie]
    reply = desk.service.ask("GET", SETTINGS, key=cookie["value"], portal=desk.portal)
    assert reply.status == HTTPStatus.OK


@from_elsewhere
def test_an_image_of_another_site_starts_nothing(
    host: str, open_foreign: OpenForeign, page: Page, desk: Desk, guard: Guard
) -> None:
    desk.save(9)
    # What answers a refusal is no image, and the browser lets the page have none of it.
    with page.expect_event("requestfailed"):
        open_foreign(host, f'<img alt="" src="{desk.url}{SETTINGS}/test">', page)

    assert guard.take() == [f"failed request: {desk.url}{SETTINGS}/test: net::ERR_BLOCKED_BY_ORB"]
    assert "response" not in desk.ask("GET", f"{SETTINGS}/test/status")  # no test was started


@from_elsewhere
def test_a_frame_of_another_site_stays_empty(
    host: str, open_foreign: OpenForeign, page: Page, desk: Desk, guard: Guard
) -> None:
    open_foreign(host, f'<iframe title="x" src="{desk.url}/sign-in"></iframe>', page)

    expect(page.frame_locator("iframe").get_by_label("Password")).to_have_count(0)
    assert any("frame-ancestors" in one for one in guard.take())


def test_a_link_of_another_site_finds_its_reader_signed_in(
    open_foreign: OpenForeign, page: Page, desk: Desk
) -> None:
    open_foreign(FOREIGN[0], f'<a href="{desk.url}/">Settings</a>', page)
    page.get_by_role("link").click()

    page.wait_for_url("/settings")
    assert [cookie["name"] for cookie in page.context.cookies()] == [COOKIE]
