"""The envelope: the paths of a message, and what it asks of a relay."""

import pytest

from smarthost.mail.address import Address, parse_address
from smarthost.mail.envelope import addressed

ANN = parse_address("ann@example.com")
JOERG = parse_address("jörg@bücher.example")
ASCII = b"Subject: x\r\n\r\nHello\r\n"
BODY_IN_8BIT = "Subject: x\r\n\r\nGrüße\r\n".encode()
HEADER_IN_UTF8 = "Subject: ä\r\n\r\nHello\r\n".encode()
HEADER_ALONE = "Subject: ä\r\n".encode()


def test_paths_are_addresses_without_brackets() -> None:
    envelope = addressed(ASCII, sender=ANN, recipients=[JOERG, ANN])
    assert envelope.sender == "ann@example.com"
    assert envelope.recipients == ("jörg@xn--bcher-kva.example", "ann@example.com")
    assert envelope.content == ASCII


def test_no_sender_is_the_null_reverse_path() -> None:
    assert addressed(ASCII, sender=None, recipients=[ANN]).sender == ""


@pytest.mark.parametrize(
    ("content", "sender", "recipient", "needs_smtputf8", "needs_8bit"),
    [
        (ASCII, ANN, ANN, False, False),
        (ASCII, None, ANN, False, False),
        (ASCII, JOERG, ANN, True, False),
        (ASCII, ANN, JOERG, True, False),
        (BODY_IN_8BIT, ANN, ANN, False, True),
        (HEADER_IN_UTF8, ANN, ANN, True, True),
        (HEADER_ALONE, ANN, ANN, True, True),
    ],
)
def test_an_envelope_says_what_it_needs(
    content: bytes,
    sender: Address | None,
    recipient: Address,
    needs_smtputf8: bool,
    needs_8bit: bool,
) -> None:
    envelope = addressed(content, sender=sender, recipients=[recipient])
    assert (envelope.needs_smtputf8, envelope.needs_8bit) == (needs_smtputf8, needs_8bit)


def test_a_domain_beyond_ascii_needs_nothing() -> None:
    buecher = parse_address("ann@bücher.example")
    assert not addressed(ASCII, sender=buecher, recipients=[buecher]).needs_smtputf8


def test_the_content_is_not_in_the_repr() -> None:
    assert "Hello" not in repr(addressed(ASCII, sender=ANN, recipients=[ANN]))
