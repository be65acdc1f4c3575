"""A message on the wire: one message stays one message."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.smtp.data import Content


@pytest.mark.parametrize(
    ("body", "wire"),
    [
        (b"", b".\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"\r\n", b"\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".a\r\n.b\r\nc.\r\n", b"..a\r\n..b\r\nc.\r\n.\r\n"),
        (b"a\r\n.\r\n", b"a\r\n..\r\n.\r\n"),
        (b"a\r", b"a\r\n.\r\n"),
        (b"a\n", b"a\r\n.\r\n"),
    ],
)
def test_dots_at_the_start_of_a_line_are_doubled(body: bytes, wire: bytes) -> None:
    assert Content(body).dot_stuffed() == wire


ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\n\n", b"\r\r", b"\0\n", b"\n\0"]


@pytest.mark.parametrize("before", ENDS)
@pytest.mark.parametrize("after", ENDS)
def test_no_way_to_write_a_line_end_smuggles_a_second_message(before: bytes, after: bytes) -> None:
    body = b"a" + before + b"." + after + b"MAIL FROM:<evil@example.com>\r\n"
    wire = Content(body).dot_stuffed()
    assert len(re.findall(rb"(?:\r\n|\r|\n)\.(?:\r\n|\r|\n)", wire)) == 1
    assert wire.endswith(b"\r\n.\r\n")


PIECES = st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"\r\n.\r\n", b"text", b"\0"])


@given(st.lists(PIECES | st.binary(max_size=5)))
def test_a_server_reads_the_message_as_it_was(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    wire = Content(body).dot_stuffed()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", wire)
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3
    lines = wire.removesuffix(b".\r\n").split(b"\r\n")
    received = b"\r\n".join(line.removeprefix(b".") for line in lines)
    expected = re.sub(rb"\r\n|\r|\n", b"\r\n", body)
    assert received == (expected if expected.endswith(b"\r\n") or not body else expected + b"\r\n")


@given(st.lists(PIECES))
def test_line_ends_are_made_crlf_once(pieces: list[bytes]) -> None:
    lines = Content(b"".join(pieces)).lines
    assert Content(lines).lines == lines
