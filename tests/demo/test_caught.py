"""What is shown of a message that was caught."""

from hypothesis import given
from hypothesis import strategies as st

from smarthost.demo.caught import read_caught

TWO_PARTS = b"""\
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

SGFsbMO2Lg==
--b
Content-Type: text/html

<p>not this</p>
--b--
""".replace(b"\n", b"\r\n")


def test_subject_and_text_are_decoded() -> None:
    caught = read_caught("a@example.com", ["b@example.com"], TWO_PARTS)
    assert (caught.sender, caught.recipients) == ("a@example.com", ("b@example.com",))
    assert (caught.subject, caught.text) == ("Grüße", "Hallö.")


def test_without_a_text_part_the_source_is_shown() -> None:
    content = b"Subject: x\r\nContent-Type: text/html\r\n\r\n<p>y</p>\r\n"
    assert "<p>y</p>\n" in read_caught("", ["b@example.com"], content).text


def test_an_unknown_charset_shows_the_source() -> None:
    content = b"Subject: x\r\nContent-Type: text/plain; charset=klingon\r\n\r\nnuqneH\r\n"
    assert "nuqneH" in read_caught("", ["b@example.com"], content).text


@given(st.binary(max_size=300))
def test_whatever_comes_is_read(content: bytes) -> None:
    read_caught("a@example.com", ["b@example.com"], b"Subject: =?x?" + content)
    read_caught("a@example.com", ["b@example.com"], content)
