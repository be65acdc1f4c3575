"""What a page may not do is found, whatever a test looks at: the guard can fail."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error

from tests.pages.accessibility import violations
from tests.pages.browser import Browsing
from tests.pages.guard import Guard
from tests.pages.looks import is_too_wide
from tests.pages.scripted import Scripted, running_site

_GOOD = (
    '<!doctype html><html lang="en"><head><title>Title</title>{head}</head>'
    "<body><main><h1>Heading</h1>{body}</main></body></html>"
)
_FOREIGN = "http://elsewhere.localhost:9/one.png"
_POLICY = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'"}


def scripted(body: str = "", head: str = "") -> Scripted:
    return Scripted(body=_GOOD.format(head=head, body=body), headers=_POLICY)


def script(text: str) -> Scripted:
    return Scripted(body=text, type="text/javascript")


ANSWERS = {
    "/good": scripted(),
    "/inline-script": scripted("<script>document.title = 'run'</script>"),
    "/inline-style": scripted('<p style="color: red">Text</p>'),
    "/handler": scripted('<img src="/no.png" alt="" onerror="document.title = 1">'),
    "/foreign": Scripted(body=_GOOD.format(head="", body=f'<img alt="" src="{_FOREIGN}">')),
    "/broken": scripted(head='<script src="/broken.js"></script>'),
    "/broken.js": script("nowhere()"),
    "/complains": scripted(head='<script src="/complains.js"></script>'),
    "/complains.js": script("console.error('something is wrong')"),
    "/incomplete": scripted(head='<link rel="stylesheet" href="/none.css">'),
    "/fails": Scripted(body=_GOOD, status=500),
    "/refuses": Scripted(body=_GOOD, status=422),
    "/mute": scripted('<input type="text">'),
    "/wide": scripted(head='<link rel="stylesheet" href="/wide.css">'),
    "/wide.css": Scripted(body="p, main { width: 400px }", type="text/css"),
}


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with running_site(ANSWERS) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def guard(origin: str) -> Guard:
    return Guard(origin)


@pytest.fixture
def browse(browser: Browser, origin: str, guard: Guard) -> Iterator[Browsing]:
    browsing = Browsing(browser, origin, guard, str)
    yield browsing
    browsing.close()


def faults_of(path: str, browse: Browsing, guard: Guard) -> list[str]:
    browse(path, signed_in=False)
    browse.close()
    return guard.take()


@pytest.mark.parametrize("path", ["/good", "/refuses"])
def test_a_good_page_and_a_refusal_have_no_faults(
    path: str, browse: Browsing, guard: Guard
) -> None:
    assert faults_of(path, browse, guard) == []


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/inline-script", "console: .*inline script violates"),
        ("/inline-style", "console: .*inline style"),
        ("/handler", "console: .*inline event handler"),
        ("/foreign", f"foreign request: {_FOREIGN}"),
        ("/broken", "uncaught: nowhere is not defined"),
        ("/complains", "console: something is wrong"),
        ("/incomplete", "answer: 404 .*/none.css"),
        ("/fails", "answer: 500 .*/fails"),
    ],
)
def test_a_bad_page_is_found_out(path: str, fault: str, browse: Browsing, guard: Guard) -> None:
    found = faults_of(path, browse, guard)
    assert any(re.match(fault, one) for one in found), found


def test_a_field_without_a_name_breaks_the_rules(browse: Browsing) -> None:
    page = browse("/mute", signed_in=False)
    assert [one.partition(": ")[0] for one in violations(page)] == ["label"]


def test_the_rules_are_not_tried_where_no_script_runs(browse: Browsing) -> None:
    page = browse("/mute", signed_in=False, script=False)
    with pytest.raises(AssertionError, match="where scripts run"):
        violations(page)


def test_a_page_wider_than_a_small_screen_is_found_out(browse: Browsing) -> None:
    assert is_too_wide(browse("/wide", signed_in=False))
    assert not is_too_wide(browse("/good", signed_in=False))


@pytest.mark.parametrize("host", ["example.com", "192.0.2.1", "[2001:db8::1]"])
def test_what_is_not_on_this_machine_is_not_reached(
    host: str, browse: Browsing, guard: Guard
) -> None:
    page = browse("/good", signed_in=False)
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto(f"http://{host}/")
    assert guard.take()[0] == f"foreign request: http://{host}/"
