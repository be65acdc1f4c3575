"""Whom a message is from that does not say so."""

import pytest

from smarthost.cli.sendmail import names_sender, with_sender
from smarthost.mail.address import parse_address
from smarthost.mail.mailbox import Mailbox

SENDER = Mailbox(address=parse_address("notify@example.com"), display_name="Böse, Ä.")


@pytest.mark.parametrize(
    "message",
    [
        b"From: a@example.com\n\nbody\n",
        b"Subject: x\r\nFROM : a@example.com\r\n\r\nbody\r\n",
        b"From root Mon Jan  1 00:00:00 2026\nfrom:a@example.com\n",
    ],
)
def test_a_header_from_is_found_however_it_is_written(message: bytes) -> None:
    assert names_sender(message)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\nFrom: a@example.com\n",
        b"Subject: x\n\nFrom: a@example.com\n",
        b"Subject: x\n From: a@example.com\n\n",
        b"From root Mon Jan  1 00:00:00 2026\nX-From: a@example.com\n\n",
    ],
)
def test_what_only_looks_like_one_is_none(message: bytes) -> None:
    assert not names_sender(message)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_it_is_added_in_the_messages_own_line_ends(line_end: bytes) -> None:
    message = line_end.join([b"Subject: x", b"", b"body", b""])
    added, rest = with_sender(message, SENDER).split(line_end, 1)
    assert added.startswith(b"From: ")
    assert added.endswith(b" <notify@example.com>")
    assert rest == message
    assert names_sender(with_sender(message, SENDER))


def test_the_line_of_a_mail_folder_stays_the_first() -> None:
    lines = with_sender(b"From root Mon Jan\nSubject: x\n\n", SENDER).splitlines()
    assert (lines[0], lines[1][:6], lines[2]) == (b"From root Mon Jan", b"From: ", b"Subject: x")


def test_a_message_without_a_header_gets_one() -> None:
    assert with_sender(b"\nbody\n", SENDER).endswith(b"@example.com>\n\nbody\n")
