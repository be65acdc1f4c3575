"""A delivery status notification, read by the standard library."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage, Message
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smarthost.mail.envelope import addressed
from smarthost.mail.mailbox import parse_mailbox
from smarthost.mail.report import Action, Report, ReportedRecipient, delivery_report

DATE = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
ORIGINAL = b"From: a@example.com\r\nSubject: Hello\r\n\r\nHello\r\n"
FAILED = ReportedRecipient(
    address="anna@example.org",
    original_recipient="rfc822;old+anna@example.org",
    action=Action.FAILED,
    status="5.1.1",
    remote_mta="mail.example.com",
    reply="550 5.1.1 <anna@example.org>: No such user here, nor was there ever one at any time",
    last_attempt_at=DATE,
)
REPORT = Report(
    from_=parse_mailbox("Mail delivery <portal@example.com>"),
    to=parse_mailbox("sender@example.com"),
    subject="Not delivered to anna@example.org",
    text="It did not arrive.\n",
    message_id="<2@example.com>",
    date=DATE,
    reporting_mta="smarthost.example.com",
    original_message_id="<1@example.com>",
    envelope_id="order 17",
    arrival_date=DATE,
    recipients=(FAILED,),
    original=ORIGINAL,
    whole=False,
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def read(facts: Report) -> EmailMessage:
    message = email.message_from_bytes(delivery_report(facts), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    # What is returned inside may be as it likes.
    assert not any(part.defects for part in (message, *message.iter_parts()))
    return message


def parts(facts: Report) -> list[Any]:
    return list(read(facts).iter_parts())


def groups(facts: Report) -> list[Message]:
    """The fields of the message, then those of each recipient."""
    status = parts(facts)[1]
    assert status.get_content_type() == "message/delivery-status"
    found = status.get_payload()
    assert isinstance(found, list)
    return found


def test_its_header_is_that_of_an_automatic_answer() -> None:
    message = read(REPORT)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    assert message["From"] == "Mail delivery <portal@example.com>"
    assert message["To"] == "sender@example.com"
    assert message["Subject"] == "Not delivered to anna@example.org"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == message["References"] == "<1@example.com>"
    assert message["Message-ID"] == "<2@example.com>"


def test_it_has_words_fields_and_the_header_of_the_message() -> None:
    text, status, original = parts(REPORT)
    assert text.get_content() == "It did not arrive.\r\n"
    assert status.get_content_type() == "message/delivery-status"
    assert original.get_content_type() == "text/rfc822-headers"
    assert original.get_payload() == "From: a@example.com\r\nSubject: Hello\r\n"


def test_the_fields_are_those_of_rfc_3464() -> None:
    of_message, of_anna = groups(REPORT)
    assert dict(of_message.items()) == {
        "Original-Envelope-Id": "order 17",
        "Reporting-MTA": "dns; smarthost.example.com",
        "Arrival-Date": "Thu, 01 Jan 2026 12:30:00 +0000",
    }
    assert {name: value.replace("\n", "") for name, value in of_anna.items()} == {
        "Original-Recipient": "rfc822; old+anna@example.org",
        "Final-Recipient": "rfc822; anna@example.org",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mail.example.com",
        "Diagnostic-Code": f"smtp; {FAILED.reply}",
        "Last-Attempt-Date": "Thu, 01 Jan 2026 12:30:00 +0000",
    }


def test_what_is_not_known_is_left_out() -> None:
    told = replace(
        FAILED, original_recipient=None, remote_mta=None, reply=None, last_attempt_at=None
    )
    facts = replace(REPORT, envelope_id=None, original_message_id="", recipients=[told])
    message = read(facts)
    assert "In-Reply-To" not in message
    assert "References" not in message
    of_message, of_anna = groups(facts)
    assert of_message.keys() == ["Reporting-MTA", "Arrival-Date"]
    assert of_anna.keys() == ["Final-Recipient", "Action", "Status"]


def test_each_recipient_has_fields_of_its_own() -> None:
    relayed = replace(FAILED, address="boris@example.org", action=Action.RELAYED, status="2.0.0")
    _, *found = groups(replace(REPORT, recipients=[FAILED, relayed]))
    assert [one["Action"] for one in found] == ["failed", "relayed"]


def test_the_whole_message_comes_back_where_that_is_wanted() -> None:
    original = parts(replace(REPORT, whole=True))[2]
    assert original.get_content_type() == "message/rfc822"
    assert original.get_content().get_content() == "Hello\r\n"


@pytest.mark.parametrize("original", [None, b"no header"])
def test_without_the_message_there_are_two_parts(original: bytes | None) -> None:
    assert len(parts(replace(REPORT, original=original))) == 2


def test_addresses_beyond_ascii_are_written_in_ascii() -> None:
    told = replace(
        FAILED, address="jörg@example.org", original_recipient="utf-8;jürgen@example.org"
    )
    _, found = groups(replace(REPORT, recipients=[told]))
    assert found["Final-Recipient"] == r"utf-8; j\x{F6}rg@example.org"
    assert found["Original-Recipient"] == r"utf-8; j\x{FC}rgen@example.org"


def test_only_a_sender_beyond_ascii_makes_the_notice_need_smtputf8() -> None:
    told = replace(FAILED, address="jörg@example.org", reply="550 Größe")
    facts = replace(
        REPORT,
        recipients=[told],
        text="Grüße an jörg@example.org\n",
        original="Subject: ä\r\n\r\n".encode(),
    )
    assert delivery_report(facts).isascii()
    to = parse_mailbox("jörg@example.com")
    content = delivery_report(replace(facts, to=to))
    assert addressed(content, sender=None, recipients=[to.address]).needs_smtputf8


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_no_text_becomes_a_field_of_its_own(
    address: str, reply: str, original_recipient: str, envelope_id: str, text: str
) -> None:
    told = replace(FAILED, address=address, reply=reply, original_recipient=original_recipient)
    facts = replace(
        REPORT,
        recipients=[told, FAILED],
        envelope_id=envelope_id,
        original_message_id=envelope_id,
        reporting_mta=address,
        text=text,
    )
    content = delivery_report(facts)
    assert content.isascii()
    assert content.count(b"\r") == content.count(b"\n") == content.count(b"\r\n")
    assert max(map(len, content.split(b"\r\n"))) <= 998
    of_message, first, second = groups(facts)
    assert set(of_message.keys()) <= {"Original-Envelope-Id", "Reporting-MTA", "Arrival-Date"}
    assert len(first.keys()) <= 7
    assert first["Status"] == second["Status"] == "5.1.1"
    assert first["Action"] == "failed"


@given(st.binary(max_size=400), st.booleans())
@example(b"g\x01\r\n\r\n\r\n", True)
def test_whatever_is_returned_the_parts_stay_what_they_are(original: bytes, whole: bool) -> None:
    facts = replace(REPORT, original=b"A: b\r\n" + original, whole=whole)
    assert delivery_report(facts).isascii()
    _, found = groups(facts)
    assert found["Status"] == "5.1.1"
    assert len(parts(facts)) in (2, 3)
