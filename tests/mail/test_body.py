"""Bodies in octets that any relay can carry."""

import base64
import binascii

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smarthost.mail.body import encoded_text, in_base64, shorter

CRLF_LINES = st.lists(st.binary(max_size=90).map(
    lambda line: line.replace(b"\r", b"").replace(b"\n", b""))).map(b"\r\n".join)  # fmt: skip


def decoded(encoding: str, body: bytes) -> bytes:
    if encoding == "base64":
        return base64.b64decode(body, validate=False)
    return binascii.a2b_qp(body) if encoding == "quoted-printable" else body


@given(CRLF_LINES)
@example(b"a ")
@example(b"\r\n")
@example(b" \r\n\t")
@example(b"\xff" * 100)
@example(b"." * 200)
def test_octets_decode_to_themselves(octets: bytes) -> None:
    for encoding, body in (shorter(octets), in_base64(octets)):
        assert decoded(encoding, body) == octets
        assert body.isascii()
        assert all(len(line) <= 76 for line in body.split(b"\r\n"))


@given(CRLF_LINES)
def test_the_shorter_encoding_is_never_longer_than_base64(octets: bytes) -> None:
    assert len(shorter(octets).body) <= len(in_base64(octets).body)


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("", b""),
        ("a", b"a\r\n"),
        ("a\n", b"a\r\n"),
        ("a\r\nb\rc\n\nd", b"a\r\nb\r\nc\r\n\r\nd\r\n"),
        ("\tindented.\n-- \n"[:-4], b"\tindented.\r\n"),
    ],
)
def test_a_plain_text_goes_as_it_is(text: str, body: bytes) -> None:
    assert encoded_text(text) == ("7bit", body)


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        encoded_text("\ud83d")
