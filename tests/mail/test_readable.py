"""The texts of a message, read back for people."""

import base64
import binascii
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.compose import compose
from smarthost.mail.draft import Attachment, Draft
from smarthost.mail.mailbox import parse_mailbox
from smarthost.mail.readable import LONGEST, Readable, readable
from tests.mail.raw_messages import leaf, lines, messages, multipart

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1)


@given(TEXT, TEXT)
def test_what_was_composed_is_read_back(text: str, html: str) -> None:
    content = compose(
        Draft(
            from_=parse_mailbox("a@x.test"),
            to=(),
            subject="x",
            text=text,
            html=html,
            attachments=(
                Attachment(filename="a.txt", content=b"no"),
                Attachment(filename="b.png", content=b"no", content_id="b"),
            ),
            message_id="<a@x.test>",
            date=datetime(2025, 11, 22, tzinfo=UTC),
        )
    )
    assert readable(content) == Readable(whole_lines(text), whole_lines(html))


def whole_lines(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


@pytest.mark.parametrize(
    ("content", "text", "html"),
    [
        (lines("Subject: x", "", "Hello", "you"), "Hello\nyou\n", None),
        (lines("Subject: x", "", "Grüße"), "Grüße\n", None),
        (leaf("text/html", "8bit", "ü".encode()), None, "ü"),
        (leaf("TEXT/Plain", "Quoted-Printable", b"=C3=BC"), "ü", None),
        (leaf("text/plain", "base64", b"w7w="), "ü", None),
        (leaf("text/plain", "base64", b"!"), "", None),
        (leaf("text/plain", "base64", b"w"), "w", None),
        (leaf("text/plain", "x-odd", b"x"), "x", None),
        (b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xfc", "ü", None),
        (b"Content-Type: text/plain; charset=\"no such\"\r\n\r\n\xfc", "\ufffd", None),
        (b"Content-Type: application/pdf\r\n\r\nx", None, None),
        (b"Content-Disposition: ATTACHMENT\r\n\r\nx", None, None),
        (b"Content-Type: odd\r\n\r\nx", "x", None),
        (b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nwithin", None, None),
        (
            multipart("mixed", "b", "", [leaf("", "", b"1"), leaf("text/plain", "", b"2")]),
            "1",
            None,
        ),
        (multipart("mixed", "b", "", [b"\r\nx"] * 1001), None, None),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\nno part", None, None),
        (b"", "", None),
    ],
)  # fmt: skip
def test_a_reader_is_shown_this(content: bytes, text: str | None, html: str | None) -> None:
    assert readable(content) == Readable(text, html)


def test_a_long_text_is_cut() -> None:
    text = readable(b"\r\n" + b"x" * (LONGEST + 5)).text
    assert text == "x" * LONGEST


@given(messages() | st.binary(max_size=200))
def test_any_message_can_be_read(content: bytes) -> None:
    readable(content)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
@pytest.mark.parametrize("letter", ["a", "ä"])
def test_of_a_long_text_the_beginning_is_read_at_once(encoding: str, letter: str) -> None:
    octets = (letter * 60 + "\n").encode() * 300_000
    body = {
        "base64": base64.encodebytes(octets).replace(b"\n", b"\r\n"),
        "quoted-printable": binascii.b2a_qp(octets).replace(b"\n", b"\r\n"),
        "8bit": octets.replace(b"\n", b"\r\n"),
    }[encoding]
    head = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n"
    content = head.encode() + b"\r\n" + body
    begin = time.process_time()
    text = readable(content).text

    assert time.process_time() - begin < 0.1
    assert text is not None
    whole = octets.decode()
    assert whole.startswith(text.rstrip("\ufffd"))
    assert len(text.encode()) > LONGEST * 0.9
