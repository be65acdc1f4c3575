"""The trace field, as other programs read it."""

import email
import email.policy
from datetime import UTC, datetime

import pytest

from smarthost.mail.address import parse_address
from smarthost.mail.header_reader import read_headers
from smarthost.mail.received import Hop, protocol_of, received_field

DATE = datetime(2026, 1, 1, tzinfo=UTC)
HOP = Hop(
    client_name="app.example.com",
    client_address="192.0.2.7",
    host="smarthost.example.com",
    protocol="ESMTPSA",
)
ANNA, BOB = parse_address("anna@example.net"), parse_address("bob@example.net")


def field(hop: Hop = HOP, *recipients: str) -> str:
    to = [parse_address(recipient) for recipient in recipients]
    block = received_field(hop, message_id="0123", recipients=to, date=DATE)
    (header,) = read_headers(block)
    assert header.name == "Received"
    assert email.message_from_bytes(block, policy=email.policy.default)["Received"]
    return header.value


def test_it_says_from_whom_by_whom_how_and_when() -> None:
    assert field(HOP, "anna@example.net") == (
        "from app.example.com ([192.0.2.7]) by smarthost.example.com with ESMTPSA id 0123"
        " for <anna@example.net>; Thu, 01 Jan 2026 00:00:00 +0000"
    )


def test_several_recipients_do_not_learn_of_each_other() -> None:
    assert " for " not in field(HOP, "anna@example.net", "bob@example.net")


def test_a_recipient_beyond_ascii_is_left_out() -> None:
    assert " for " not in field(HOP, "jörg@example.net")


def test_an_ipv6_address_is_a_literal() -> None:
    hop = Hop(client_name="a", client_address="2001:db8::1", host="b", protocol="ESMTPA")
    assert "([IPv6:2001:db8::1])" in field(hop)


@pytest.mark.parametrize(
    ("smtputf8", "tls", "name"),
    [
        (False, False, "ESMTPA"),
        (False, True, "ESMTPSA"),
        (True, False, "UTF8SMTPA"),
        (True, True, "UTF8SMTPSA"),
    ],
)
def test_protocols(smtputf8: bool, tls: bool, name: str) -> None:
    assert protocol_of(smtputf8=smtputf8, tls=tls) == name


@pytest.mark.parametrize("text", ["a\r\nBcc: x", "a\0", "ä"])
def test_a_value_that_would_be_a_line_of_its_own_is_refused(text: str) -> None:
    hop = Hop(client_name=text, client_address="192.0.2.7", host="b", protocol="ESMTPA")
    with pytest.raises(ValueError, match="ASCII"):
        received_field(hop, message_id="0", recipients=[], date=DATE)
