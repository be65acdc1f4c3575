"""The test message: what the administrator reads in it, and what is kept from the reader."""

from email import policy
from email.message import EmailMessage
from email.parser import Parser

import pytest

from smarthost.mail.address import parse_address
from smarthost.mail.envelope import Envelope
from smarthost.relay_check.message import ShownRelay, trial_message

AT = 1_763_836_812_345_678  # 2025-11-22T18:40:12.345678Z
RELAY = ShownRelay("mail.example.net", 587)


def trial(
    *,
    portal_name: str = "acme",
    relay: ShownRelay | None = RELAY,
    sender_name: str | None = "Acme Notes",
    to: str = "ann@example.org",
    at: int = AT,
) -> Envelope:
    return trial_message(
        portal_name=portal_name,
        relay=relay,
        revision=7,
        sender=parse_address("notify@example.com"),
        sender_name=sender_name,
        to=parse_address(to),
        message_id="<018f-1@example.com>",
        at=at,
    )


def parsed(envelope: Envelope) -> EmailMessage:
    return Parser(EmailMessage, policy=policy.SMTPUTF8).parsestr(envelope.content.decode())


def bodies(envelope: Envelope) -> dict[str, str]:
    return {
        part.get_content_type(): str(part.get_content()).replace("\r\n", "\n")
        for part in parsed(envelope).walk()
        if not part.is_multipart()
    }


def test_it_goes_from_the_sender_of_the_settings_to_one_person() -> None:
    envelope = trial()
    assert (envelope.sender, envelope.recipients) == ("notify@example.com", ("ann@example.org",))
    message = parsed(envelope)
    assert message["From"] == "Acme Notes <notify@example.com>"
    assert message["To"] == "ann@example.org"


def test_it_has_the_headers_of_a_decent_message() -> None:
    message = parsed(trial())
    assert message["Subject"] == "Test message from acme"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<018f-1@example.com>"
    assert message["Date"] == "Sat, 22 Nov 2025 18:40:12 +0000"


@pytest.mark.parametrize("media_type", ["text/plain", "text/html"])
def test_both_parts_say_which_portal_relay_and_settings_sent_it_and_when(media_type: str) -> None:
    text = bodies(trial())[media_type]
    for fact in (
        "acme",
        "mail.example.net, port 587",
        "revision 7",
        "notify@example.com",
        "ann@example.org",
        "22 November 2025, 18:40:12 UTC",
    ):
        assert fact in text


def test_the_plain_text_is_this() -> None:
    assert bodies(trial())["text/plain"] == (
        "Test message from acme\n"
        "\n"
        "Mail from this portal goes out through the settings below.\n"
        "\n"
        "Portal:       acme\n"
        "Sent through: mail.example.net, port 587\n"
        "Settings:     revision 7\n"
        "From:         notify@example.com\n"
        "To:           ann@example.org\n"
        "Time:         22 November 2025, 18:40:12 UTC\n"
        "\n"
        "An administrator of the portal asked for this message to try the settings.\n"
        "There is nothing to answer.\n"
    )


def test_the_installations_relay_stays_unnamed() -> None:
    envelope = trial(relay=None)
    for text in bodies(envelope).values():
        assert "the installation's mail server" in text.replace("&#x27;", "'")
        assert "port" not in text.replace("portal", "").replace("Portal", "")


def test_no_word_becomes_html() -> None:
    html = bodies(trial(portal_name='<script>"&'))["text/html"]
    assert "<script>" not in html
    assert "&lt;script&gt;&quot;&amp;" in html


def test_the_html_part_fetches_nothing() -> None:
    html = bodies(trial())["text/html"]
    assert not any(word in html for word in ("http:", "https:", "src=", "href=", "url("))


def test_it_is_7bit_unless_an_address_is_not_ascii() -> None:
    plain = trial(sender_name="Jörg von nebenan")
    assert not plain.needs_8bit
    assert not plain.needs_smtputf8
    other = trial(to="jörg@example.org")
    assert other.needs_8bit
    assert other.needs_smtputf8
    assert "jörg@example.org" in bodies(other)["text/plain"]
