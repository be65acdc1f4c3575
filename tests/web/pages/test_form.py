"""What a form sends is read as a browser wrote it, and nothing makes the reader fail."""

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.web.errors import RequestError
from smarthost.web.pages.form import Form

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=20))
def test_what_a_browser_writes_is_read_back(fields: list[tuple[str, str]]) -> None:
    form = Form.of(urlencode(fields).encode())
    for name, _ in fields:
        assert form.has(name)
        assert form.texts(name) == [value for sent, value in fields if sent == name]
        assert form.text(name) == form.texts(name)[0]
    assert not form.has("none") or "none" in dict(fields)


@given(st.binary(max_size=60))
def test_other_octets_are_read_or_refused(octets: bytes) -> None:
    with suppress(RequestError):
        Form.of(octets)


@pytest.mark.parametrize(
    "octets", [b"a=%ff", "a=ä".encode(), b"a=%ed%a0%80", b"&".join([b"a=1"] * 201)]
)
def test_what_no_browser_sends_is_refused(octets: bytes) -> None:
    with pytest.raises(RequestError):
        Form.of(octets)


def test_a_box_that_is_not_ticked_is_not_there() -> None:
    form = Form.of(b"enableSSL=&host=mail.example.com")
    assert (form.has("enableSSL"), form.has("enableAuth")) == (True, False)
    assert (form.text("enableSSL"), form.text("enableAuth")) == ("", "")
