"""The strict reader of header blocks, which checks what the writer has made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.header_reader import HeaderError, ReadHeader, is_header_name, read_headers


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        (b"", []),
        (b"A: b\r\n", [("A", "b")]),
        (b"A:b\r\n", [("A", "b")]),
        (b"A:\r\n", [("A", "")]),
        (b"A: b\r\nC: d\r\n", [("A", "b"), ("C", "d")]),
        (b"A: b\r\nA: b\r\n", [("A", "b"), ("A", "b")]),
        (b"A: b\r\n c\r\n", [("A", "b c")]),
        (b"A: b\r\n\tc\r\n", [("A", "b\tc")]),
        (b"A:\r\n b\r\n", [("A", "b")]),
        (b"A: b:c\r\n", [("A", "b:c")]),
        (b"!~: b\r\n", [("!~", "b")]),
        ("To: jörg@example.com\r\n".encode(), [("To", "jörg@example.com")]),
        (b"A: " + b"b" * 995 + b"\r\n", [("A", "b" * 995)]),
    ],
)
def test_well_formed_headers_are_read(block: bytes, headers: list[tuple[str, str]]) -> None:
    assert read_headers(block) == [ReadHeader(*header) for header in headers]


@pytest.mark.parametrize(
    "block",
    [
        b"A: b",
        b"A: b\n",
        b"A: b\r",
        b"A: b\nB: c\r\n",
        b"A: b\rB: c\r\n",
        b"A: b\0\r\n",
        b"A: b\r\r\n",
        b"A: b\r\n\r\n",
        b"A: b\r\n\r\nbody\r\n",
        b"A: b\r\n \r\n",
        b"A: b\r\n \t\r\nB: c\r\n",
        b"\r\nA: b\r\n",
        b" A: b\r\n",
        b"A b\r\n",
        b"A : b\r\n",
        b": b\r\n",
        b"A\xc3\xa4: b\r\n",
        b"A: \xff\r\n",
        b"A: " + b"b" * 996 + b"\r\n",
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(block: bytes) -> None:
    with pytest.raises(HeaderError):
        read_headers(block)


@given(st.binary(max_size=200) | st.text("A:\r\n\t b\0", max_size=30).map(str.encode))
def test_any_octets_are_read_or_refused(block: bytes) -> None:
    try:
        headers = read_headers(block)
    except HeaderError:
        return
    assert all("\r" not in value and "\n" not in value for _, value in headers)


def test_a_name_longer_than_a_line_is_none() -> None:
    assert is_header_name("a" * 997)
    assert not is_header_name("a" * 998)  # there is no room for the colon
