"""A message as one relay can have it."""

from email import message_from_bytes
from email.policy import default

import pytest

from smarthost.delivery.fitting import Fitted, fitted
from smarthost.delivery.lack import Lack
from smarthost.mail.envelope import Envelope
from smarthost.smtp.extensions import Extensions

EIGHT_BIT = (
    b"Subject: Hello\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n"
)
UTF8 = EIGHT_BIT.replace(b"Hello", "Grüße".encode())
EVERYTHING = Extensions(eight_bit_mime=True, smtp_utf8=True)
WITHOUT_UTF8 = Extensions(eight_bit_mime=True)
NOTHING = Extensions()


def envelope(content: bytes, *, recipient: str = "b@example.com") -> Envelope:
    header = content.partition(b"\r\n\r\n")[0]
    return Envelope(
        sender="a@example.com",
        recipients=(recipient,),
        content=content,
        needs_smtputf8=not (header.isascii() and recipient.isascii()),
        needs_8bit=not content.isascii(),
    )


async def fits(message: Envelope, offered: Extensions) -> Fitted:
    found = await fitted(message, offered)
    assert isinstance(found, Fitted)
    return found


@pytest.mark.parametrize("offered", [EVERYTHING, WITHOUT_UTF8, NOTHING])
async def test_what_is_ascii_goes_out_as_it_is(offered: Extensions) -> None:
    found = await fits(envelope(b"Subject: Hello\r\n\r\nHello\r\n"), offered)
    assert found.content.lines == b"Subject: Hello\r\n\r\nHello\r\n"
    assert (found.utf8, found.eight_bit) == (False, False)


@pytest.mark.parametrize("offered", [EVERYTHING, WITHOUT_UTF8])
async def test_eight_bits_go_out_as_they_are_where_the_relay_takes_them(
    offered: Extensions,
) -> None:
    found = await fits(envelope(EIGHT_BIT), offered)
    assert found.content.lines == EIGHT_BIT
    assert (found.utf8, found.eight_bit) == (False, True)


async def test_for_a_relay_without_8bitmime_the_body_is_encoded() -> None:
    found = await fits(envelope(EIGHT_BIT), NOTHING)
    assert found.content.is_ascii
    read = message_from_bytes(found.content.lines, policy=default)
    assert read.get_content().splitlines() == ["Grüße"]
    assert (found.utf8, found.eight_bit) == (False, False)


async def test_a_header_in_utf8_goes_out_as_it_is_where_the_relay_takes_it() -> None:
    found = await fits(envelope(UTF8), EVERYTHING)
    assert found.content.lines == UTF8
    assert (found.utf8, found.eight_bit) == (True, True)


async def test_for_a_relay_without_smtputf8_the_header_alone_is_encoded() -> None:
    found = await fits(envelope(UTF8), WITHOUT_UTF8)
    header, _, body = found.content.lines.partition(b"\r\n\r\n")
    assert header.isascii()
    assert body == "Grüße\r\n".encode()
    assert (found.utf8, found.eight_bit) == (False, True)


@pytest.mark.parametrize("offered", [NOTHING, Extensions(smtp_utf8=True)])
async def test_smtputf8_without_8bitmime_counts_for_nothing(offered: Extensions) -> None:
    found = await fits(envelope(UTF8), offered)
    assert found.content.is_ascii
    assert (found.utf8, found.eight_bit) == (False, False)


@pytest.mark.parametrize("offered", [NOTHING, WITHOUT_UTF8, Extensions(smtp_utf8=True)])
async def test_an_address_beyond_ascii_cannot_be_encoded(offered: Extensions) -> None:
    message = envelope(b"Subject: x\r\n\r\nx\r\n", recipient="jürgen@example.com")
    assert await fitted(message, offered) is Lack.SMTPUTF8


async def test_a_part_that_was_signed_is_not_encoded() -> None:
    signed = (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary="x"\r\n\r\n'
        b"--x\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n"
        b"--x\r\nContent-Type: application/pkcs7-signature\r\n\r\nsign\r\n--x--\r\n"
    )
    assert await fitted(envelope(signed), NOTHING) is Lack.EIGHT_BIT_MIME


async def test_the_size_is_that_of_what_goes_out() -> None:
    fits_as_it_is = Extensions(eight_bit_mime=True, size=len(EIGHT_BIT))
    assert (await fits(envelope(EIGHT_BIT), fits_as_it_is)).content.octets == len(EIGHT_BIT)
    # Encoded it is longer.
    assert await fitted(envelope(EIGHT_BIT), Extensions(size=len(EIGHT_BIT))) is Lack.SIZE


async def test_bare_line_ends_count_as_the_crlf_that_they_become() -> None:
    message = envelope(b"Subject: x\n\nx\n")
    assert (await fits(message, Extensions(size=17))).content.octets == 17
    assert await fitted(message, Extensions(size=16)) is Lack.SIZE
