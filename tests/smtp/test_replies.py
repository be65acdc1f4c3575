"""Replies, well formed and hostile, whole and in pieces."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.smtp.errors import ProtocolError, Reason
from smarthost.smtp.replies import LINE_LIMIT, REPLY_LIMIT, REPLY_LINES_LIMIT, ReplyReader
from smarthost.smtp.reply import TEXT_LIMIT, Reply

EHLO = b"250-mail.example.com\r\n250-SIZE 1000\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n"

Outcome = tuple[list[Reply], Reason | None, bool]


def read(pieces: Iterable[bytes]) -> Outcome:
    """Give the replies, the fault after them, and whether a part is left over."""
    reader = ReplyReader()
    replies: list[Reply] = []
    try:
        for piece in pieces:
            for reply in reader.feed(piece):
                replies.append(reply)  # noqa: PERF402 - the last ones come before a fault
    except ProtocolError as error:
        return replies, error.reason, False
    return replies, None, reader.has_rest


def one(data: bytes) -> Reply:
    replies, fault, has_rest = read([data])
    assert fault is None
    assert not has_rest
    (reply,) = replies
    return reply


def fault(data: bytes) -> Reason | None:
    return read([data])[1]


def test_a_reply_has_its_code_and_its_lines() -> None:
    assert one(EHLO) == Reply(
        code=250,
        enhanced=None,
        lines=("mail.example.com", "SIZE 1000", "AUTH PLAIN LOGIN", "8BITMIME"),
    )


@pytest.mark.parametrize("data", [b"250\r\n", b"250 \r\n"])
def test_the_text_may_be_missing(data: bytes) -> None:
    assert one(data).lines == ("",)


def test_a_continued_line_may_be_empty() -> None:
    assert one(b"250-\r\n250\r\n").lines == ("", "")


def test_replies_come_one_after_the_other() -> None:
    replies, _, has_rest = read([b"250 one\r\n550 two\r\n25"])
    assert [reply.code for reply in replies] == [250, 550]
    assert has_rest


@pytest.mark.parametrize(
    ("text", "enhanced"),
    [
        ("5.7.8 Wrong password", "5.7.8"),
        ("5.7.8", "5.7.8"),
        ("5.7.999 x", "5.7.999"),
        ("4.7.8 class of another code", None),
        ("5.7.8000 x", None),
        ("5.7 x", None),
        ("5.7.8: x", None),
        ("x 5.7.8", None),
        ("\u0665.7.8 x", None),
    ],
)
def test_the_enhanced_code_is_that_of_the_first_line(text: str, enhanced: str | None) -> None:
    assert one(f"535 {text}\r\n".encode()).enhanced == enhanced


def test_nothing_in_a_reply_can_move_a_cursor_or_hide() -> None:
    data = "550 \x1b[31m<script>\0\x7f\u202e\u0085é\u2028".encode() + b"\xff\xc3\r\n"
    assert one(data).lines == ("�[31m<script>����é���",)


@pytest.mark.parametrize(
    "data",
    [
        b"000 x\r\n",
        b"100 x\r\n",
        b"199 x\r\n",
        b"600 x\r\n",
        b"999 x\r\n",
        b"260 x\r\n",
        b"25 x\r\n",
        b"25\r\n",
        b"2500 x\r\n",
        b"+25 x\r\n",
        b" 250 x\r\n",
        b"250_x\r\n",
        b"250\tx\r\n",
        "2\uff150 x\r\n".encode(),
        b"\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16\r\n",
    ],
)
def test_a_line_without_a_reply_code_is_refused(data: bytes) -> None:
    assert fault(data) is Reason.BAD_CODE


@pytest.mark.parametrize(
    "data", [b"250 x\n", b"\n", b"250 x\ry\r\n", b"250 x\r\r\n", b"250-x\n250 y\r\n", b"250\n"]
)
def test_a_line_ends_in_crlf_and_has_no_cr_before(data: bytes) -> None:
    assert fault(data) is Reason.BARE_LINE_END


def test_one_reply_has_one_code() -> None:
    assert fault(b"550-no\r\n250 ok\r\n") is Reason.MIXED_CODES


def test_a_line_has_its_limit() -> None:
    longest = b"250 " + b"x" * (LINE_LIMIT - 6) + b"\r\n"
    assert len(longest) == LINE_LIMIT
    assert fault(longest) is None
    assert fault(b"250 x" + longest[4:]) is Reason.LINE_TOO_LONG


def test_a_line_without_end_is_given_up_at_the_limit() -> None:
    assert fault(b"2" * (LINE_LIMIT - 1)) is None
    assert fault(b"2" * LINE_LIMIT) is Reason.LINE_TOO_LONG


def test_a_reply_has_a_limit_of_lines() -> None:
    assert fault(b"250-x\r\n" * (REPLY_LINES_LIMIT - 1) + b"250 x\r\n") is None
    assert fault(b"250-x\r\n" * REPLY_LINES_LIMIT + b"250 x\r\n") is Reason.REPLY_TOO_LONG


def test_a_reply_has_a_limit_of_octets() -> None:
    line = b"250-" + b"x" * 1018 + b"\r\n"
    assert len(line) * 16 == REPLY_LIMIT
    assert fault(line * 16) is None
    assert fault(line * 16 + b"250\r\n") is Reason.REPLY_TOO_LONG


def test_the_limits_start_anew_with_each_reply() -> None:
    reply = b"250-x\r\n" * (REPLY_LINES_LIMIT - 1) + b"250 x\r\n"
    replies, reason, _ = read([reply * 5])
    assert reason is None
    assert len(replies) == 5


@pytest.mark.parametrize(
    "data",
    [
        EHLO,
        EHLO + b"550 5.1.1 no\r\n",
        b"250 ok\r\n000 x\r\n",
        b"250 ok\r\n250 bare\n",
        b"550-no\r\n250 ok\r\n",
        b"250 a\rb\r\n",
        b"250 " + b"x" * 3000 + b"\r\n",
        b"250 caf\xc3\xa9\r\n",
    ],
)
def test_every_place_to_cut_a_reply_gives_the_same(data: bytes) -> None:
    whole = read([data])
    for at in range(len(data) + 1):
        assert read([data[:at], data[at:]]) == whole
    assert read(bytes([octet]) for octet in data) == whole


LIKELY = st.sampled_from(
    [
        b"250",
        b"550",
        b"000",
        b"-",
        b" ",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"x" * 700,
        b"5.1.1",
        b"\xff",
    ]
)


@given(st.lists(LIKELY | st.binary(max_size=8)), st.lists(st.integers(0, 3000)))
def test_no_stream_of_octets_upsets_it_and_pieces_change_nothing(
    parts: list[bytes], cuts: list[int]
) -> None:
    data = b"".join(parts)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[first:last] for first, last in itertools.pairwise(places)]
    assert read(pieces) == read([data])
    for reply in read([data])[0]:
        assert 200 <= reply.code <= 559
        assert all(line.isprintable() for line in reply.lines)
        assert reply.text.isprintable()
        assert len(reply.text) <= TEXT_LIMIT


@given(
    st.integers(2, 5),
    st.integers(0, 5),
    st.integers(0, 9),
    st.lists(
        st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=80),
        min_size=1,
        max_size=20,
    ),
)
def test_what_a_server_wrote_is_what_is_read(a: int, b: int, c: int, lines: list[str]) -> None:
    code = f"{a}{b}{c}"
    data = "".join(f"{code}-{line}\r\n" for line in lines[:-1]) + f"{code} {lines[-1]}\r\n"
    reply = one(data.encode())
    assert reply.code == int(code)
    assert reply.lines == tuple(lines)
    assert reply.positive == (a < 4)
