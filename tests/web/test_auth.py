import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.web.auth import Shown, cookie_of
from smarthost.web.errors import RequestError

NAMES = st.text("abcdefghijklmnop", min_size=1)
VALUES = st.text("abc0123456789_-=.%")
TOKEN = "sh_01912345-0000-7000-8000-000000000000_" + "A" * 43


@given(st.lists(st.tuples(NAMES, VALUES)), VALUES, st.integers(0, 5))
def test_our_cookie_is_found_among_others(
    others: list[tuple[str, str]], value: str, place: int
) -> None:
    pairs = [*others[:place], ("asc_auth_key", value), *others[place:]]
    header = "; ".join(f"{name}={content}" for name, content in pairs)

    assert cookie_of(header) == value


@given(st.text())
def test_any_text_is_read_as_cookies(header: str) -> None:
    with contextlib.suppress(RequestError):
        cookie_of(header)


@pytest.mark.parametrize(
    "header", ["", "a=b", "asc_auth_keys=x", "xasc_auth_key=x", 'a="asc_auth_key=x"']
)
def test_other_cookies_are_not_ours(header: str) -> None:
    assert cookie_of(header) is None


@pytest.mark.parametrize("header", ["asc_auth_key=a;asc_auth_key=a", "asc_auth_key;asc_auth_key"])
def test_our_cookie_twice_is_refused(header: str) -> None:
    with pytest.raises(RequestError) as caught:
        cookie_of(header)
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("authorization", "api_key_bearer", "ours"),
    [
        (TOKEN, None, True),
        (f"Bearer {TOKEN}", None, True),
        (None, TOKEN, True),
        ("x", TOKEN, True),
        (None, None, False),
        ("", "", False),
        ("Basic cHJveHk6cHJveHk=", None, False),
        (f"{TOKEN}x", None, False),
    ],
)
def test_a_token_of_ours_is_told_by_its_form(
    authorization: str | None, api_key_bearer: str | None, ours: bool
) -> None:
    shown = Shown(authorization=authorization, api_key_bearer=api_key_bearer, cookie=None)

    assert shown.token_in_a_header is ours
