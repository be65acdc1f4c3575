"""The parts of a message: the same as another reader finds, by their places."""

import email
from email.message import Message
from typing import cast

import pytest
from hypothesis import given

from smarthost.mail.mime import MimeError, MimePart, parts_of
from tests.mail.raw_messages import leaf, lines, messages, multipart


def shape(part: MimePart) -> object:
    if not part.children:
        return part.media_type
    return [part.media_type, *map(shape, part.children)]


def shape_by_another(part: Message) -> object:
    if not part.is_multipart():
        return part.get_content_type()
    children = cast("list[Message]", part.get_payload())
    return [part.get_content_type(), *map(shape_by_another, children)]


@given(messages())
def test_the_parts_are_those_that_another_reader_finds(content: bytes) -> None:
    found = parts_of(content)
    assert shape(found) == shape_by_another(email.message_from_bytes(content))
    for part in found.walk():
        assert part.begin <= part.header_end <= part.body <= part.end
        for child in part.children:
            assert part.body <= child.begin
            assert child.end <= part.end


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "text/plain"),
        (lines("Content-Type: TEXT/Html (c); charset=x", "", ""), "text/html"),
        (lines("Content-Type: odd", "", ""), "text/plain"),
        (lines("Content-Type: multipart/mixed; boundary=b", "", "x"), "multipart/mixed"),
        (lines("Content-Type: multipart/mixed", "", "--b"), "multipart/mixed"),
        (
            lines("Content-Type: multipart/mixed; boundary=b", "", "--b \t", "", "x", "--bb", ""),
            ["multipart/mixed", "text/plain"],
        ),
        (
            lines("Content-Type: multipart/digest; boundary=b", "", "--b", "", "A: b", "--b--"),
            ["multipart/digest", ["message/rfc822", "text/plain"]],
        ),
        (
            lines("Content-Type: message/rfc822", "Content-Transfer-Encoding: base64", "", "QUJD"),
            "message/rfc822",
        ),
        (
            lines("Content-Type: multipart/mixed; boundary=b", "", "--b", "--b--", "--b", "", "x"),
            "multipart/mixed",
        ),
    ],
)
def test_a_message_has_these_parts(content: bytes, expected: object) -> None:
    assert shape(parts_of(content)) == expected


def test_what_is_in_a_signed_part_knows_it() -> None:
    inner = multipart("mixed", "i", "", [leaf("text/plain", "", b"x")])
    content = multipart("signed", "s", "", [inner, leaf("a/sig", "", b"y")])
    top, *within = parts_of(content).walk()
    assert not top.signed
    assert [part.signed for part in within] == [True, True, True]


def test_parts_deeper_than_20_are_not_looked_into() -> None:
    content = leaf("text/plain", "", b"x")
    for depth in range(30):
        content = multipart("mixed", f"b{depth}x", "", [content])
    assert len(list(parts_of(content).walk())) == 21


def test_a_part_knows_its_fields_and_places() -> None:
    content = multipart("mixed", "b", "", [leaf("a/b; name=x", "8BIT (c)", b"body")])
    part = parts_of(content).children[0]
    assert content[part.body : part.end] == b"body"
    assert content[part.header_end : part.body] == b"\r\n"
    assert part.encoding == "8bit"
    assert part.parameters == {"name": "x", "charset": "utf-8"}
    assert (field := part.field("content-type")) is not None
    assert content[field.begin : field.end] == b"Content-Type: a/b; name=x; charset=utf-8\r\n"
    assert part.field("subject") is None


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\n\r\nx\r\n" * 1001,
        b"--bx\r\n" * 20_001,
        b"--b\r\n" + b"a:\r\n" * 300_000,
        (b"--b\r\n" + b"a:\r\n" * 30_000 + b"\r\n") * 10,
    ],
)
def test_a_message_that_takes_too_long_to_read_is_refused(body: bytes) -> None:
    with pytest.raises(MimeError):
        parts_of(lines("Content-Type: multipart/mixed; boundary=b", "") + body)
