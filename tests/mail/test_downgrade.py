"""A message for a relay that knows less: readers find the same in it, or it is refused."""

import email
from email import policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given

from smarthost.mail.downgrade import NotDowngradable, downgraded
from tests.mail.raw_messages import decoded_leaves, leaf, lines, messages, multipart

GREETING = "Grüße an alle von hier\r\n"


def seven_bit(content: bytes) -> bytes:
    result = downgraded(content, eight_bit=False, smtputf8=False)
    assert isinstance(result, bytes), result
    assert result.isascii()
    return result


def refused(content: bytes, *, eight_bit: bool = False, smtputf8: bool = False) -> NotDowngradable:
    result = downgraded(content, eight_bit=eight_bit, smtputf8=smtputf8)
    assert isinstance(result, NotDowngradable)
    return result


def header_of(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[0]


@given(messages())
def test_any_message_becomes_7_bit_and_decodes_to_the_same(content: bytes) -> None:
    result = seven_bit(content)
    assert decoded_leaves(result) == decoded_leaves(content)
    assert seven_bit(result) == result
    assert seven_bit(content) == result
    if content.isascii():
        assert result == content
    for line in result.split(b"\r\n"):
        assert len(line) <= 998
        assert b"\r" not in line
        assert b"\n" not in line


@given(messages())
def test_a_relay_with_8bitmime_gets_every_octet(content: bytes) -> None:
    assert downgraded(content, eight_bit=True, smtputf8=False) == content
    assert downgraded(content, eight_bit=True, smtputf8=True) == content


def test_what_is_7_bit_keeps_its_octets_beside_what_is_not() -> None:
    odd = leaf("text/plain", "7bit", b"a  \r\n\tb=3D ") + b"\r\n"
    content = b"MIME-Version: 1.0\r\n" + multipart(
        "mixed", "b", "8bit", [odd, leaf("text/plain", "8bit", GREETING.encode())]
    )
    result = seven_bit(content)
    assert odd in result
    assert b'Content-Type: multipart/mixed;\r\n\tboundary="b"\r\n' in result
    assert b"Content-Transfer-Encoding: 7bit\r\n\r\n--b" in result
    assert b"8bit" not in result
    assert b"Gr=C3=BC=C3=9Fe" in result


def test_a_text_without_mime_becomes_mime() -> None:
    content = lines("Subject: Hello", "", "Grüße an alle von hier")
    assert seven_bit(content) == lines(
        "Subject: Hello",
        "Content-Transfer-Encoding: quoted-printable",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        "Gr=C3=BC=C3=9Fe an alle von hier",
    )
    unknown = seven_bit("Subject: Hello\r\n\r\nGrüße\r\n".encode("latin-1"))
    assert b"charset=unknown-8bit" in unknown
    assert decoded_leaves(unknown)[0][2] == "Grüße\r\n".encode("latin-1")


@pytest.mark.parametrize("media_type", ["text/plain", "application/pdf"])
def test_a_file_with_bare_line_ends_is_not_taken_for_lines(media_type: str) -> None:
    body = "a\nb\rc\r\nü".encode()
    content = b"MIME-Version: 1.0\r\n" + leaf(media_type, "binary", body)
    result = seven_bit(content)
    assert b"base64" in result
    assert decoded_leaves(result)[0][2] == body


@pytest.mark.parametrize(
    ("field", "name", "read"),
    [
        ("Subject: Grüße", "Subject", "Grüße"),
        ("Subject: Grüße\r\n\taus  =?utf-8?q?K=C3=B6ln?=", "Subject", "Grüße aus  Köln"),
        ("X-Own: ünd", "X-Own", "ünd"),
        ("From: Jörg <a@x.test>", "From", "Jörg <a@x.test>"),
        ('To: "Ö, Jörg" <a@x.test>, b@x.test', "To", "Ö, Jörg <a@x.test>, b@x.test"),
        ("Cc: Bücher: Ü <a@x.test>;", "Cc", "Bücher : Ü <a@x.test>;"),
        ("Resent-To: Jörg <a@x.test>", "Resent-To", "Jörg <a@x.test>"),
        ("To: a@bücher.example", "To", "a@xn--bcher-kva.example"),
        ("To: a@x.test (Jörg)", "To", "Jörg <a@x.test>"),
    ],
)
def test_a_header_reads_the_same(field: str, name: str, read: str) -> None:
    content = lines(field, "X-After: a  b", "", "Hello")
    result = seven_bit(content)
    assert result.endswith(b"\r\nX-After: a  b\r\n\r\nHello\r\n")
    value = email.message_from_bytes(result)[name]
    assert str(make_header(decode_header(value.replace("\r\n", "")))) == read
    # The body is 7-bit, so that the header alone needs the extension.
    assert downgraded(content, eight_bit=True, smtputf8=False) == result
    assert downgraded(content, eight_bit=False, smtputf8=True) == content


@pytest.mark.parametrize(
    ("parameters", "read"),
    [
        ('filename="Rechnung für März.pdf"', "Rechnung für März.pdf"),
        ("filename=märz.pdf; size=5", "märz.pdf"),
        ("filename=\"ü.pdf\"; filename*=utf-8''%C3%BC.pdf", "ü.pdf"),
        ("filename*0*=utf-8''%C3%BC; filename*1=\" a.pdf\"; x=ü", "ü a.pdf"),
    ],
)
def test_the_name_of_a_file_reads_the_same(parameters: str, read: str) -> None:
    part = f"Content-Disposition: attachment; {parameters}\r\n\r\nx".encode()
    content = b"MIME-Version: 1.0\r\n" + multipart("mixed", "b", "", [part])
    message = email.message_from_bytes(seven_bit(content), policy=policy.default)
    [found] = message.iter_parts()
    assert found.get_filename() == read


def test_a_message_within_the_message_is_downgraded_with_its_header() -> None:
    inner = lines("From: Jörg <a@x.test>", "Subject: Grüße", "", "Grüße")
    content = lines("MIME-Version: 1.0", "Content-Type: message/rfc822", "") + inner
    result = seven_bit(content)
    message = email.message_from_bytes(result, policy=policy.default)
    [within] = message.iter_parts()
    assert within["Subject"] == "Grüße"
    assert within["From"] == "Jörg <a@x.test>"
    assert within.get_content() == "Grüße\r\n"


@pytest.mark.parametrize(
    ("content", "extension", "why"),
    [
        (lines("From: jörg@x.test", "", "x"), "SMTPUTF8", "part before the @ is not ASCII"),
        (lines("To: ü <a@x.test", "", "x"), "SMTPUTF8", "To cannot be read"),
        (lines("Message-ID: <ü@x.test>", "", "x"), "SMTPUTF8", "Message-ID cannot be written"),
        (lines("List-Id: ü <x>", "", "x"), "SMTPUTF8", "List-Id cannot be written"),
        (lines("ARC-Seal: ü", "", "x"), "SMTPUTF8", "ARC-Seal cannot be written"),
        (lines("no field ü", "", "x"), "SMTPUTF8", "no field"),
        (b"Subject: \xff\r\n\r\nx\r\n", "SMTPUTF8", "Subject is not in UTF-8"),
        (lines("Subject: ü\x07", "", "x"), "SMTPUTF8", "Subject"),
        (lines("Subject: ü =?utf-8?q?=FF?=", "", "x"), "SMTPUTF8", "cannot be read"),
        (
            lines("Content-Type: multipart/mixed; boundary=ü", "", "--b", "", "x", "--b--"),
            "SMTPUTF8",
            "boundary",
        ),
        (lines("Subject: a", "broken", "", "ü"), "8BITMIME", "no field"),
        (
            lines("Content-Transfer-Encoding: base64", "", "Rü=="),
            "8BITMIME",
            "not in the encoding base64",
        ),
        (lines("Content-Transfer-Encoding: x-uue", "", "ü"), "8BITMIME", "x-uue"),
        (
            lines("Content-Type: text/plain", "Content-Type: text/html", "", "ü"),
            "8BITMIME",
            "content-type twice",
        ),
        (lines("Content-Type: multipart/mixed; boundary=b", "", "ü"), "8BITMIME", "multipart"),
        (lines("Content-Type: multipart/mixed", "", "--b", "", "ü"), "8BITMIME", "multipart"),
        (
            lines("Content-Type: multipart/mixed; boundary=b", "", "ü", "--b", "", "x", "--b--"),
            "8BITMIME",
            "Between the parts",
        ),
        (
            lines("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "x", "--b--", "ü"),
            "8BITMIME",
            "Between the parts",
        ),
        (
            lines("Content-Type: multipart/signed; boundary=b", "", "--b", "", "ü", "--b--"),
            "8BITMIME",
            "signed",
        ),
        (
            lines("Content-Type: message/delivery-status", "", "ü: x"),
            "8BITMIME",
            "delivery-status",
        ),
        (
            lines("Content-Type: message/rfc822", "", "From: ü@x.test", "", "x"),
            "8BITMIME",
            "part before the @ is not ASCII",
        ),
    ],
)
def test_what_cannot_be_had_is_said(content: bytes, extension: str, why: str) -> None:
    found = refused(content)
    assert found.extension == extension
    assert why in found.why


def test_a_signed_part_that_is_7_bit_stands_beside_others() -> None:
    signed = multipart("signed", "s", "", [leaf("text/plain", "", b"x"), leaf("a/b", "", b"y")])
    content = b"MIME-Version: 1.0\r\n" + multipart(
        "mixed", "b", "", [signed, leaf("text/plain", "8bit", GREETING.encode())]
    )
    assert signed in seven_bit(content)


def test_a_part_without_end_is_still_encoded() -> None:
    content = lines("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "Grüße")
    [(_, _, octets)] = decoded_leaves(seven_bit(content))
    assert octets == "Grüße\r\n".encode()


def test_a_message_of_too_many_parts_is_refused() -> None:
    parts = [leaf("text/plain", "", b"x")] * 1001
    content = multipart("mixed", "b", "", [*parts, leaf("text/plain", "", b"\xff")])
    assert "more than 1000 parts" in refused(content).why
    boundaries = b"--bx\r\n" * 20_001
    content = lines("Content-Type: multipart/mixed; boundary=b", "") + boundaries + b"\xff\r\n"
    assert "too many lines" in refused(content).why
