"""Where a browser is sent to is always a page of ours, whoever wrote the address."""

import re
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smarthost.web.pages.paths import PLACES
from smarthost.web.pages.places import place, place_of, sign_in_first

OURS = [
    "/settings",
    "/settings/oauth2",
    "/mail?state=failed&q=%C3%A4+b",
    "/mail/01912345-0000-7000-8000-000000000000?x",
    "/history?",
    "/keys/",
    "/mail//twice",
]
FOREIGN = [
    "",
    "/",
    "//other.example",
    "///other.example",
    "/\\other.example",
    "\\\\other.example",
    "/\t/other.example",
    "/\n/other.example",
    "\t//other.example",
    " /settings",
    "/settings\n",
    "/settings\r\nSet-Cookie: asc_auth_key=x",
    "/settings\\..\\..\\\\other.example",
    "https://other.example/settings",
    "https:/settings",
    "javascript:alert(1)",
    "settings",
    "/settingsother",
    "/settings.other.example",
    "/settings@other.example",
    "/settings#x",
    "/sign-in?next=/settings",
    "/sign-out",
    "/api/2.0/smtpsettings/smtp/test",
    "/%2Fother.example",
    "/%5Cother.example",
    "/settings/ä",
    "/settings/\x00",
    "/settings/\u202e",
    "/settings?" + "x" * 1000,
]


@pytest.mark.parametrize("path", OURS)
def test_a_page_of_ours_is_come_back_to(path: str) -> None:
    assert place(path) == path


@pytest.mark.parametrize("path", FOREIGN)
def test_anything_else_is_the_home_page(path: str) -> None:
    assert place(path) == "/"


@given(st.text(alphabet="/\\:.?#%@ \t\r\n\x00\xa0ä.settingsmail", max_size=40))
@example("/settings/..//other.example")
@example("/settings/%2e%2e//other.example")
def test_no_text_leads_away(text: str) -> None:
    for path in (place(text), place(f"/settings{text}"), place_of(f"http://us.example{text}")):
        assert re.fullmatch(r"[!-\[\]-~]+", path)
        assert path == "/" or path.startswith(PLACES)
        assert urlsplit(urljoin("http://us.example/sign-in", path)).netloc == "us.example"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://us.example/mail?q=a", "/mail?q=a"),
        ("http://us.example:8025/settings", "/settings"),
        ("http://us.example/sign-in", "/"),
        ("http://us.example", "/"),
        ("http://[::1/settings", "/"),
        ("", "/"),
    ],
)
def test_the_page_of_a_referer_is_come_back_to(url: str, path: str) -> None:
    assert place_of(url) == path


@pytest.mark.parametrize("then", [path for path in OURS if not path.endswith("?")])
def test_the_sign_in_page_is_told_where_to_go_on(then: str) -> None:
    to = sign_in_first(then, done="ended")
    assert parse_qs(urlsplit(to).query) == {"done": ["ended"], "next": [then]}
    assert re.fullmatch(r"/sign-in\?[A-Za-z0-9%=&/_.~+-]+", to)


def test_the_home_page_is_where_one_goes_without_being_told() -> None:
    assert sign_in_first("/") == "/sign-in"
