import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.web.request_head import RefusedError, check_head, has_body, is_host

NAMES = st.sampled_from([b"host", b"transfer-encoding", b"content-length", b"x"])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=12) | st.sampled_from([b"a", b"chunked"])))


@given(
    st.sampled_from(["GET", "OPTIONS"]),
    st.binary(max_size=12) | st.just(b"*"),
    st.sampled_from(["0.9", "1.0", "1.1", "2.0"]),
    FIELDS,
)
def test_what_is_taken_has_one_host_and_one_framing(
    method: str, target: bytes, version: str, headers: list[tuple[bytes, bytes]]
) -> None:
    with contextlib.suppress(RefusedError):
        check_head(method=method, target=target, version=version, headers=headers)
        assert_unambiguous(method, target, version, headers)


def assert_unambiguous(
    method: str, target: bytes, version: str, headers: list[tuple[bytes, bytes]]
) -> None:
    names = [name for name, _ in headers]
    assert names.count(b"host") == 1
    if b"transfer-encoding" in names:
        assert names.count(b"transfer-encoding") == 1
        assert b"content-length" not in names
        assert version == "1.1"
    assert target.startswith(b"/") or (method, target) == ("OPTIONS", b"*")
    target.decode("ascii")


@given(st.text(max_size=20))
def test_a_host_has_nothing_that_parts_a_url(text: str) -> None:
    if is_host(text):
        assert text.isascii()
        assert not set(text) & set("/?#@\\,; \t\r\n%")


@pytest.mark.parametrize("text", ["a\n", "a:123456", "", ":80", "[]", "[::1]80", "a" * 256])
def test_an_odd_host_is_none(text: str) -> None:
    assert not is_host(text)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ((b"content-length", b"3"), True),
        ((b"content-length", b"00"), False),
        ((b"transfer-encoding", b"chunked"), True),
        ((b"x", b"3"), False),
    ],
)
def test_a_length_or_a_coding_announces_a_body(field: tuple[bytes, bytes], expected: bool) -> None:
    assert has_body([field]) is expected
