"""Command lines, well formed and hostile, whole and in pieces."""

import itertools
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.smtp.command_reader import (
    AUTH_LIMIT,
    COMMAND_LIMIT,
    CommandReader,
    LineError,
    LineFault,
)

octets = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b"\0", b"AUTH ", b"auth PLAIN x", b"NOOP", b"x" * 700])
).map(b"".join)


def taken(reader: CommandReader, *, response: bool = False) -> Iterator[bytes]:
    while (line := reader.line(response=response)) is not None:
        yield line


def read(pieces: Iterable[bytes], *, response: bool = False) -> tuple[list[bytes], object]:
    """Give the lines, and the fault after them or what is left over."""
    reader, lines = CommandReader(), list[bytes]()
    try:
        for piece in pieces:
            reader.feed(piece)
            for line in taken(reader, response=response):
                lines.append(line)
    except LineError as error:
        return lines, error.fault
    return lines, reader.rest()


def test_lines_come_without_their_ends() -> None:
    assert read([b"EHLO a\r\nNOOP\r\n\r\nQU"]) == ([b"EHLO a", b"NOOP", b""], b"QU")


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (b"NOOP\nQUIT\r\n", LineFault.NOT_CRLF),
        (b"\n", LineFault.NOT_CRLF),
        (b"NOOP\rQUIT\r\n", LineFault.NOT_CRLF),
        (b"NOOP\r\r\n", LineFault.NOT_CRLF),
        (b"NO\0OP\r\n", LineFault.NUL),
    ],
)
def test_a_line_end_of_another_kind_or_a_nul_is_a_fault(stream: bytes, fault: LineFault) -> None:
    assert read([b"RSET\r\n" + stream]) == ([b"RSET"], fault)


@pytest.mark.parametrize(
    ("begin", "limit", "response"),
    [
        (b"MAIL FROM:<", COMMAND_LIMIT, False),
        (b"AUTH PLAIN ", AUTH_LIMIT, False),
        (b"auth plain ", AUTH_LIMIT, False),
        (b"AUTHORISE", COMMAND_LIMIT, False),
        (b"AHgA", AUTH_LIMIT, True),
    ],
)
def test_a_line_is_taken_up_to_its_limit_and_not_beyond(
    begin: bytes, limit: int, response: bool
) -> None:
    longest = begin.ljust(limit - 2, b"x")
    assert read([longest, b"\r\n"], response=response) == ([longest], b"")
    for too_long in ([longest + b"x\r\n"], [longest, b"x\r", b"\n"], [longest + b"xxxx"]):
        assert read(too_long, response=response) == ([], LineFault.TOO_LONG)


def test_what_has_come_behind_a_line_is_known_and_taken() -> None:
    reader = CommandReader()
    reader.feed(b"STARTTLS\r\nMAIL")
    assert (reader.line(), reader.has_rest, reader.rest()) == (b"STARTTLS", True, b"MAIL")
    assert not reader.has_rest


@given(octets, st.lists(st.integers(0, 4_000)), st.booleans())
def test_however_it_is_cut_the_same_lines_are_read(
    stream: bytes, cuts: list[int], response: bool
) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[begin:end] for begin, end in itertools.pairwise(places)]
    assert read(pieces, response=response) == read([stream], response=response)


@given(octets)
def test_a_line_holds_no_line_end(stream: bytes) -> None:
    lines, _ = read([stream])
    assert not any(set(b"\r\n\0") & set(line) for line in lines)
    assert stream.startswith(b"".join(line + b"\r\n" for line in lines))
