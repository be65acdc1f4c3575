"""What a browser keeps others from, and what Smarthost refuses where the browser would let it."""

import re
from http import HTTPStatus
from itertools import product

import pytest
from playwright.sync_api import Error, Page, expect

from smarthost.web.auth import COOKIE
from smarthost.web.pages.pages import all_pages
from tests.contract.service import DOOR, SETTINGS
from tests.pages.browser import Browsing
from tests.pages.desk import Desk
from tests.pages.foreign import FOREIGN, OpenForeign, form, go
from tests.pages.guard import Guard
from tests.pages.looks import inspect

_OWN = "the same host at another port"
_ID = "01912345-0000-7000-8000-000000000000"
_FETCH = """async ([url, method]) => {
  const answer = await fetch(url, { method, credentials: "include" });
  return answer.status;
}"""


def host_of(where: str, desk: Desk) -> str:
    return desk.url.removeprefix("http://").partition(":")[0] if where == _OWN else where


def session_is_valid(page: Page, desk: Desk) -> bool:
    token = next(one["value"] for one in page.context.cookies() if one["name"] == COOKIE)
    reply = desk.service.ask("GET", SETTINGS, key=token, portal=desk.portal)
    return reply.status == HTTPStatus.OK


# To a browser's cookies ports are nothing: from there even a `Strict` one comes along.
@pytest.mark.parametrize(
    ("where", "cookie_comes"), [(FOREIGN[0], False), (FOREIGN[1], True), (_OWN, True)]
)
def test_no_form_of_ours_can_be_sent_from_elsewhere(
    where: str, cookie_comes: bool, open_foreign: OpenForeign, page: Page, desk: Desk
) -> None:
    posts = [one for one in all_pages(desk.service.parts.links, DOOR) if one.method == "POST"]
    for one in posts:
        path = re.sub(r"\{\w+\}", _ID, one.path)
        open_foreign(host_of(where, desk), form(desk, path, email="x", token="x"), page)
        answer = go(page)
        assert answer.status == HTTPStatus.FORBIDDEN, path
        assert ("cookie" in answer.request.all_headers()) == cookie_comes, path
    assert session_is_valid(page, desk)


@pytest.mark.parametrize("where", [*FOREIGN, _OWN])
def test_no_script_of_elsewhere_reads_or_changes_anything(
    where: str, open_foreign: OpenForeign, page: Page, desk: Desk, guard: Guard
) -> None:
    desk.save(9)
    open_foreign(host_of(where, desk), "", page)
    for method, path in product(("GET", "POST", "DELETE"), ("/", SETTINGS, f"{SETTINGS}/test")):
        with pytest.raises(Error, match="Failed to fetch"):
            page.evaluate(_FETCH, [desk.url + path, method])
    assert all("CORS" in one or "failed request" in one for one in guard.take())
    assert desk.ask("GET", SETTINGS)["response"]["host"] == "127.0.0.1"
    assert "response" not in desk.ask("GET", f"{SETTINGS}/test/status"), "no test was started"
    assert session_is_valid(page, desk)


def test_no_script_reads_the_session(browse: Browsing) -> None:
    page = browse("/settings")
    assert page.evaluate("document.cookie") == ""


def test_a_second_cookie_of_a_neighbour_is_explained(
    browse: Browsing, page: Page, desk: Desk
) -> None:
    planted = {"name": COOKIE, "value": "ss_planted", "domain": ".portals.localhost", "path": "/"}
    page.context.add_cookies([planted])  # type: ignore[list-item]  # its type is not exported
    page.goto("/")
    expect(page.get_by_role("main")).to_contain_text("Delete the cookies of this site")
    assert inspect(page, "two-cookies") == []
    page.context.clear_cookies()
    page.get_by_role("link", name="To the first page").click()
    expect(page).to_have_url(re.compile("/sign-in$"))


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_link_of_another_site_asks_who_is_there_once(
    script: bool, open_foreign: OpenForeign, browse: Browsing, desk: Desk
) -> None:
    page = browse(signed_in=False, script=script)
    open_foreign(FOREIGN[0], f'<a href="{desk.url}/">Mail</a>', page)
    page.get_by_role("link").click()
    page.wait_for_url(re.compile("/sign-in$"))
    expect(page.get_by_label("Password")).to_be_visible()


def test_a_link_of_another_site_needs_no_script(
    open_foreign: OpenForeign, browse: Browsing, desk: Desk
) -> None:
    page = browse(script=False)
    open_foreign(FOREIGN[0], f'<a href="{desk.url}/">Settings</a>', page)
    page.get_by_role("link").click()
    page.wait_for_url("/settings")


def test_whoever_guesses_passwords_is_told_when_the_next_is_looked_at(
    browse: Browsing, desk: Desk
) -> None:
    for _ in range(5):
        desk.reply(
            "POST", "/api/2.0/authentication", {"userName": desk.admin.email, "password": "x"}
        )
    page = browse("/sign-in?next=/keys", signed_in=False)
    page.get_by_label("E-mail address").fill(desk.admin.email)
    page.get_by_label("Password").fill("x")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Try again in \d+ seconds\."))
    expect(page.get_by_label("E-mail address")).to_have_value(desk.admin.email)
    assert inspect(page, "sign-in-too-many") == []
