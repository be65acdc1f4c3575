"""Attachments: their name, type and content arrive, and none of them becomes a header."""

import email
from email import policy
from email.headerregistry import ContentDispositionHeader
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.attached import attached
from smarthost.mail.draft import Attachment
from smarthost.mail.header_reader import HeaderError
from tests.mail.injections import REFUSED, TAKEN

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def read(attachment: Attachment) -> EmailMessage:
    return email.message_from_bytes(attached(attachment).content(), policy=policy.default)


@pytest.mark.parametrize(
    ("filename", "content", "content_type"),
    [
        ("bill.pdf", b"", "application/pdf"),
        ("BILL.PDF", b"", "application/pdf"),
        ("a.docx", b"", DOCX),
        ("a.tar.gz", b"", "application/gzip"),
        ("notes.txt", "Grüße".encode(), "text/plain; charset=utf-8"),
        ("notes.txt", b"\xff", "text/plain"),
        ("meeting.ics", b"", "text/calendar; charset=utf-8"),
        ("letter.eml", b"", "application/octet-stream"),
        ("README", b"", "application/octet-stream"),
        ("a.unknown", b"", "application/octet-stream"),
        ("../../etc/passwd.png", b"", "image/png"),
        ("", b"", "application/octet-stream"),
    ],
)
def test_the_name_suggests_the_type(filename: str, content: bytes, content_type: str) -> None:
    part = read(Attachment(filename=filename, content=content))
    assert part["Content-Type"].replace('"', "") == content_type


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("image/svg+xml", "image/svg+xml"),
        ("text/calendar; charset=utf-8; method=REQUEST", None),
        ('text/plain;name="a b"', None),
        ("message/rfc822", "application/octet-stream"),
        ("Multipart/mixed; boundary=x", "application/octet-stream"),
    ],
)
def test_the_type_that_is_given_counts(given: str, written: str | None) -> None:
    block = attached(Attachment(filename="x.pdf", content=b"x", content_type=given)).content()
    assert f"Content-Type: {written or given}\r\n".encode() in block


@pytest.mark.parametrize(
    "content_type",
    ["", "pdf", "a/b/c", "a b/c", "text/plain; x", "text/plain\r\nBcc: x", 'a/b; c="', "ü/b",
     "a/b; c=ü", "a/" + "b" * 600],
)  # fmt: skip
def test_what_is_no_type_is_refused(content_type: str) -> None:
    with pytest.raises(HeaderError, match=r"content type of the attachment 'x\.pdf' is not"):
        attached(Attachment(filename="x.pdf", content=b"x", content_type=content_type))


@given(st.binary(max_size=300))
def test_any_content_arrives(content: bytes) -> None:
    part = attached(Attachment(filename="x.bin", content=content))
    assert all(len(line) <= 76 for line in part.content().split(b"\r\n"))
    message = email.message_from_bytes(part.content())
    assert message.get_payload(decode=True) == content


@pytest.mark.parametrize("filename", [*TAKEN, "Rechnung für März.pdf", "日本.pdf"])
def test_any_name_arrives(filename: str) -> None:
    part = read(Attachment(filename=filename, content=b"x"))
    header = cast("ContentDispositionHeader", part["Content-Disposition"])
    assert header.params["filename"] == filename


@pytest.mark.parametrize("text", REFUSED)
def test_control_characters_are_refused(text: str) -> None:
    with pytest.raises(HeaderError):
        attached(Attachment(filename=text, content=b"x"))
    with pytest.raises(HeaderError):
        attached(Attachment(filename="x", content=b"x", content_id=text))


@pytest.mark.parametrize(
    ("content_id", "written"), [("logo", "<logo>"), ("<a.b@c>", "<a.b@c>"), ("a%20b", None)]
)
def test_a_content_id_stands_in_angle_brackets(content_id: str, written: str | None) -> None:
    attachment = Attachment(filename="x.png", content=b"x", content_id=content_id)
    if written is None:
        with pytest.raises(HeaderError, match="content id"):
            attached(attachment)
    else:
        part = read(attachment)
        assert (part["Content-ID"], part.get_content_disposition()) == (written, "inline")
