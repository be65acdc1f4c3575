"""Messages behind the 354, whole and in pieces, and everything that is nearly their end."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.smtp.data import Content
from smarthost.smtp.data_reader import SWALLOWED, DataEnd, DataReader

LIMIT = 1_000
Outcome = tuple[DataEnd | None, bytes, bytes]

blocks = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"\r\n.", b"\r\n.\r\n", b"\0", b"a", b"x" * 300])
).map(b"".join)


def read(pieces: Iterable[bytes], limit: int = LIMIT) -> Outcome:
    """Give how it ended, the message if it is whole, and what came behind it."""
    reader = DataReader(limit)
    rest = b""
    for piece in pieces:
        if reader.ended is None:
            reader.feed(piece)
            rest = reader.rest
        else:
            rest += piece
    whole = reader.ended is DataEnd.WHOLE
    return reader.ended, reader.content if whole else b"", rest if reader.ended else b""


@pytest.mark.parametrize(
    ("stream", "content", "rest"),
    [
        (b".\r\n", b"", b""),
        (b"\r\n.\r\n", b"\r\n", b""),
        (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n"),
        (b"..\r\n...a\r\n.b\r\n.\r\n", b".\r\n..a\r\nb\r\n", b""),
        (b"a\r\n..\r\n.\r\n.\r\n", b"a\r\n.\r\n", b".\r\n"),
        (b"a.\r\n.\r\n", b"a.\r\n", b""),
    ],
)
def test_a_message_ends_at_a_line_that_is_a_dot_and_dots_are_unstuffed(
    stream: bytes, content: bytes, rest: bytes
) -> None:
    expected = (DataEnd.WHOLE, content, rest)
    assert read([stream]) == expected
    assert read(stream[at : at + 1] for at in range(len(stream))) == expected


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n"]
)
def test_nothing_else_ends_one(end: bytes) -> None:
    stream = b"a" + end + b"MAIL FROM:<>\r\n.\r\n"
    assert read([stream])[0] is DataEnd.MALFORMED
    for at in range(len(stream)):
        assert read([stream[:at], stream[at:]])[0] is DataEnd.MALFORMED


def test_a_nul_is_a_fault() -> None:
    assert read([b"a\0b\r\n.\r\n"])[0] is DataEnd.MALFORMED


def test_a_message_up_to_the_limit_is_whole_and_one_octet_more_is_too_large() -> None:
    lines = b".." + b"x" * (LIMIT - 3) + b"\r\n"  # the doubled dot does not count
    assert read([lines + b".\r\n"]) == (DataEnd.WHOLE, lines[1:], b"")
    assert read([b"y" + lines[2:] + b".\r\n"]) == (DataEnd.WHOLE, b"y" + lines[2:], b"")
    assert read([b"y" + lines[1:] + b".\r\nQUIT"]) == (DataEnd.TOO_LARGE, b"", b"QUIT")


def test_what_has_no_end_is_read_so_far_and_no_further() -> None:
    line = b"x" * 98 + b"\r\n"
    stream = line * ((LIMIT + SWALLOWED) // 100 + 1)
    for size in (1, 7, 1_000, len(stream)):
        reader = DataReader(LIMIT)
        read_so_far = 0
        for at in range(0, len(stream), size):
            read_so_far = at + size
            if reader.feed(stream[at : at + size]) is not None:
                break
        assert reader.ended is DataEnd.ENDLESS
        assert read_so_far < LIMIT + SWALLOWED + size
        assert reader.octets == 0


def test_a_message_that_is_dropped_is_still_read_to_its_end() -> None:
    reader = DataReader(LIMIT)
    assert reader.feed(b"a\r\n") is None
    reader.drop()
    assert reader.octets == 0
    assert reader.feed(b"b\r\n.\r\nQUIT") is DataEnd.DROPPED
    assert reader.rest == b"QUIT"


def test_a_message_that_is_whole_can_still_be_dropped() -> None:
    reader = DataReader(LIMIT)
    assert reader.feed(b"a\r\n.\r\n") is DataEnd.WHOLE
    reader.drop()
    assert (reader.ended, reader.octets) == (DataEnd.DROPPED, 0)


def test_what_a_client_has_stuffed_comes_out_as_it_was() -> None:
    for lines in itertools.product((b"", b".", b"..", b"a", b".a"), repeat=3):
        content = b"".join(line + b"\r\n" for line in lines)
        assert read([Content(content).dot_stuffed()]) == (DataEnd.WHOLE, content, b"")


@given(blocks, st.lists(st.integers(0, 4_000)))
def test_however_it_is_cut_the_same_comes_out(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[begin:end] for begin, end in itertools.pairwise(places)]
    whole = read([stream])
    cut = read(pieces)
    assert cut[:2] == whole[:2]
    if whole[0] in {DataEnd.WHOLE, DataEnd.TOO_LARGE}:  # after a fault nothing is read
        assert cut[2] == whole[2]


@given(blocks)
def test_a_whole_message_has_lines_that_end_in_crlf_and_no_nul(stream: bytes) -> None:
    ended, content, rest = read([stream])
    if ended is DataEnd.WHOLE:
        lines = content.count(b"\r\n")
        assert content.count(b"\r") == content.count(b"\n") == lines
        assert b"\0" not in content
        assert not content or content.endswith(b"\r\n")
        # A dot before another character than a dot need not have been doubled.
        wire = stream[: len(stream) - len(rest)]
        assert content == _unstuffed(wire)


def _unstuffed(wire: bytes) -> bytes:
    """Read it line by line, as RFC 5321, section 4.5.2, has it."""
    *lines, dot, nothing = wire.split(b"\r\n")
    assert (dot, nothing) == (b".", b"")
    assert b"." not in lines
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)
