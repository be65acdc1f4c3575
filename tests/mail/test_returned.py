"""What is returned of a message: octets as they were where they can be, and seven bits always."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.returned import returned

HEADER = b"From: a@example.com\r\nSubject: Hello\r\n"
ASCII = HEADER + b"\r\nHello\r\n"


def found(content: bytes, *, whole: bool = False) -> tuple[str, bytes]:
    part = returned(content, whole=whole)
    assert part is not None
    return part.media_type(), part.body


def test_a_message_in_ascii_comes_back_octet_by_octet() -> None:
    assert found(ASCII, whole=True) == ("message/rfc822", ASCII)
    assert found(ASCII) == ("text/rfc822-headers", HEADER)


def test_of_a_beginning_the_header_comes_back() -> None:
    assert found(HEADER + b"\r\nHel") == ("text/rfc822-headers", HEADER)


@pytest.mark.parametrize("content", [b"", HEADER, HEADER[:-9], b"\r\nHello\r\n"])
def test_without_a_whole_header_nothing_comes_back(content: bytes) -> None:
    assert returned(content, whole=False) is None


def test_a_body_in_eight_bits_comes_back_encoded() -> None:
    content = (
        HEADER + b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
    )
    media_type, body = found(content, whole=True)
    assert media_type == "message/rfc822"
    assert base64.b64encode("Grüße\r\n".encode()) in body


def test_a_subject_in_utf_8_comes_back_as_encoded_words() -> None:
    media_type, body = found("Subject: Grüße\r\n\r\nHello\r\n".encode())
    assert media_type == "text/rfc822-headers"
    assert body.isascii()
    assert body.startswith(b"Subject: =?utf-8?")


def test_a_header_with_an_address_beyond_ascii_comes_back_as_rfc_6533_has_it() -> None:
    header = "From: jörg@example.com\r\nSubject: Hello\r\n".encode()
    part = returned(header + b"\r\nHello\r\n", whole=True)
    assert part is not None
    assert part.media_type() == "message/global-headers"
    assert part.headers[1].reads_back("quoted-printable")
    assert b"j=C3=B6rg@example.com" in part.body


@pytest.mark.parametrize("signed", [b"\xc3\xbc", b"\xff"])
def test_of_a_message_that_cannot_be_encoded_the_header_comes_back(signed: bytes) -> None:
    content = (
        HEADER + b'Content-Type: multipart/signed; boundary="x"\r\n\r\n'
        b"--x\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + signed
        + b"\r\n--x\r\nContent-Type: application/pkcs7-signature\r\n\r\nx\r\n--x--\r\n"
    )
    assert found(content, whole=True)[0] == "text/rfc822-headers"


@pytest.mark.parametrize(
    "header",
    [
        b"Subject: \xff\r\n",
        b"Subject: a\0b\r\n",
        b"Subject: a\rb\r\n",
        b"X: " + b"x" * 999 + b"\r\n",
    ],
)
def test_what_is_no_sound_header_does_not_come_back(header: bytes) -> None:
    assert returned(header + b"\r\nHello\r\n", whole=True) is None


@pytest.mark.parametrize("body", [b"a\0b\r\n", b"a\nb\r\n", b"a", b"x" * 999 + b"\r\n"])
def test_of_a_body_that_is_no_sound_lines_the_header_comes_back(body: bytes) -> None:
    assert found(HEADER + b"\r\n" + body, whole=True) == ("text/rfc822-headers", HEADER)


@given(
    st.lists(
        st.sampled_from(
            [b"A: b", b"\r\n", b"\r", b"\n", b"\0", b" ", b"\xc3\xbc", b"\xff", b"--x"]
        )
        | st.binary(max_size=9),
        max_size=20,
    ).map(b"".join),
    st.booleans(),
)
def test_whatever_the_message_sound_seven_bit_lines_come_back(content: bytes, whole: bool) -> None:
    part = returned(content, whole=whole)
    if part is None:
        return
    octets = part.content()
    assert octets.isascii()
    assert octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n")
    assert b"\0" not in octets
    assert octets.endswith(b"\r\n")
