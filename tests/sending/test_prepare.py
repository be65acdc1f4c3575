"""E-mails as they were asked for, and the messages that they become; the API's own tests are in
tests/web/emails."""

import email
import email.policy
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.clock import MICROSECONDS
from smarthost.mail_queue.accepted.model import MOST_RECIPIENTS, Submission
from smarthost.portals.model import Portal
from smarthost.sending.model import (
    AttachmentInput,
    EmailInput,
    FaultKind,
    Refused,
    TagInput,
)
from smarthost.sending.prepare import Prepared, prepare_one
from smarthost.sending.rules import LONGEST_FILENAME, LONGEST_SUBJECT
from smarthost.sending.sender import sender_of
from tests.clocks import START
from tests.mail.injections import REFUSED, TAKEN
from tests.smtp_settings.relays import relay

PORTAL = Portal(id="p", name="acme", created_at=0, settings_allowed=True)
SENDER = sender_of(PORTAL, relay())
ID = "01a20468-4c81-7568-b9c7-f3a45b943b40"
HEAD = b"From: notify@example.com\r\n"


def asked(**changes: Any) -> Prepared:
    given = {"to": ("jane@example.net",), "subject": "Hello", "text": "Hello"}
    return prepare_one(EmailInput(**(given | changes)), SENDER, ID, START)


def raw(octets: bytes, **changes: Any) -> Prepared:
    return prepare_one(EmailInput(raw=octets, **changes), SENDER, ID, START)


def made(prepared: Prepared) -> Submission:
    assert isinstance(prepared, Submission), prepared
    return prepared


def fields(prepared: Prepared) -> list[str]:
    assert isinstance(prepared, Refused), prepared
    return [fault.field for fault in prepared.faults]


def test_an_e_mail_becomes_a_message() -> None:
    submission = made(asked(cc=("Joe <joe@example.net>",), bcc=("dan@example.net",)))
    envelope = submission.envelope

    assert envelope.sender == "notify@example.com"
    assert envelope.recipients == ("jane@example.net", "joe@example.net", "dan@example.net")
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert message["From"] == "Postman <notify@example.com>"
    assert (message["To"], message["Cc"]) == ("jane@example.net", "Joe <joe@example.net>")
    assert (message["Message-ID"], message["Bcc"]) == (f"<{ID}@example.com>", None)
    assert b"dan@" not in envelope.content
    assert submission.id == ID
    assert submission.details.bcc == ("dan@example.net",)


def test_what_is_scheduled_has_the_date_of_that_moment() -> None:
    submission = made(asked(scheduled_at="in 2 days", expires_at="in 3 days", at_most_once=True))

    assert submission.scheduled_at == START + 2 * 86_400 * MICROSECONDS
    assert submission.expires_at == START + 3 * 86_400 * MICROSECONDS
    assert submission.at_most_once
    assert b"Date: Sat, 03 Jan 2026 00:00:00 +0000\r\n" in submission.envelope.content


@pytest.mark.parametrize("injection", [*REFUSED, *TAKEN])
@pytest.mark.parametrize(
    "place",
    [
        lambda text: {"to": (text,)},
        lambda text: {"cc": (f"{text} <a@example.net>",)},
        lambda text: {"reply_to": (f"a@{text}",)},
        lambda text: {"from_": f"{text} <notify@example.com>"},
        lambda text: {"subject": text},
        lambda text: {"headers": {"X-A": text}},
        lambda text: {"headers": {text: "a"}},
        lambda text: {"attachments": (AttachmentInput(filename=text, content=b""),)},
        lambda text: {"attachments": (
            AttachmentInput(filename="a", content=b"", content_type=text),)},
        lambda text: {"attachments": (
            AttachmentInput(filename="a", content=b"", content_id=text),)},
        lambda text: {"tags": (TagInput(name=text, value=text),)},
    ],
)  # fmt: skip
def test_no_text_becomes_a_header_of_its_own(injection: str, place: Any) -> None:
    prepared = asked(**place(injection))
    if isinstance(prepared, Refused):
        assert all(fault.message for fault in prepared.faults)
        return
    head = prepared.envelope.content.partition(b"\r\n\r\n")[0]
    names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n") if line[:1] != b" "}
    assert names <= {
        b"date", b"from", b"to", b"cc", b"reply-to", b"message-id", b"subject", b"mime-version",
        b"content-type", b"content-transfer-encoding", b"x-a", injection.lower().encode(),
    }  # fmt: skip
    assert len(prepared.envelope.recipients) <= 2


def test_a_file_name_cannot_be_turned_round() -> None:
    files = (AttachmentInput(filename="report\u202efdp.exe", content=b"MZ"),)
    prepared = asked(attachments=files)
    assert isinstance(prepared, Refused)
    assert [fault.field for fault in prepared.faults] == ["attachments[0].filename"]
    assert "U+202E" in prepared.faults[0].message


def test_all_faults_are_told_together() -> None:
    prepared = asked(
        from_="joe@example.com",
        to=(),
        cc=("a",),
        subject="a\nb",
        headers={"Bcc": "a@example.net"},
        attachments=(AttachmentInput(filename="a\0", content=None),),
        scheduled_at="soon",
    )
    assert fields(prepared) == [
        "scheduled_at", "from", "cc[0]", "to", "attachments[0].content", "subject", "headers.Bcc",
        "attachments[0]",
    ]  # fmt: skip
    assert isinstance(prepared, Refused)
    kinds = {fault.field: fault.kind for fault in prepared.faults}
    assert kinds["from"] is FaultKind.NOT_ALLOWED
    assert kinds["to"] is FaultKind.MISSING


def test_files_alone_are_an_e_mail() -> None:
    files = (AttachmentInput(filename="a.txt", content=b"a"),)
    assert made(asked(text=None, attachments=files)).details.subject == "Hello"
    assert fields(asked(text=None)) == ["text"]


def test_a_message_that_is_too_large_is_refused() -> None:
    files = (AttachmentInput(filename="a", content=bytes(31 << 20)),)
    assert fields(asked(attachments=files)) == ["attachments"]
    assert fields(raw(HEAD + b"To: a@example.net\r\n\r\n" + b"a\r\n" * (14 << 20))) == ["raw"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"subject": "a" * 10_000_000}, "subject"),
        ({"subject": "ä" * 5_000_000}, "subject"),
        ({"headers": {"X-A": "ä" * 5_000_000}}, "headers"),
        ({"headers": {"References": "<a@b> " * 1_000_000}}, "headers"),
        ({"headers": {"a" * 5_000_000: "a"}}, "headers"),
        ({"headers": {f"X-{at}": "ä" * 1_000 for at in range(100)}}, "headers"),
        ({"attachments": (AttachmentInput(filename="ä" * 5_000_000, content=b""),)},
         "attachments[0].filename"),
    ],
)  # fmt: skip
def test_a_text_for_a_header_has_a_longest_length(given: dict[str, Any], field: str) -> None:
    begin = time.process_time()
    prepared = asked(**given)

    assert fields(prepared) == [field]
    assert isinstance(prepared, Refused)
    assert len(prepared.message) < 200
    assert time.process_time() - begin < 0.1


def test_the_longest_texts_for_a_header_are_sent() -> None:
    files = (AttachmentInput(filename="ä" * LONGEST_FILENAME, content=b"a"),)
    submission = made(asked(subject="ä" * LONGEST_SUBJECT, attachments=files))
    message = email.message_from_bytes(submission.envelope.content, policy=email.policy.default)

    assert message["Subject"] == "ä" * LONGEST_SUBJECT
    assert [part.get_filename() for part in message.iter_attachments()] == ["ä" * LONGEST_FILENAME]


def test_a_wrong_header_s_name_is_told_in_short() -> None:
    assert fields(asked(headers={"X:" + "a" * 1_000: "a"})) == ["headers.X:" + "a" * 58]


def test_what_lists_show_of_a_raw_message_is_short() -> None:
    subject = b"Subject: " + b"\r\n ".join([b"a" * 900] * 200) + b"\r\n"
    submission = made(raw(HEAD + b"To: a@example.net\r\n" + subject + b"\r\nHi\r\n"))

    assert submission.details.subject == ("a" * 900 + " " + "a" * 97)


def test_a_raw_message_goes_where_its_header_says() -> None:
    octets = HEAD + b"To: A: a@example.net, b@example.net;\r\nBcc: c@example.net\r\n\r\nHi\r\n"
    submission = made(raw(octets))

    assert submission.envelope.recipients == (
        "a@example.net", "b@example.net", "c@example.net",
    )  # fmt: skip
    assert b"Bcc" not in submission.envelope.content
    assert f"Message-ID: <{ID}@example.com>\r\n".encode() in submission.envelope.content
    assert submission.details.message_id == f"<{ID}@example.com>"


def test_a_raw_message_says_all_but_its_recipients_itself() -> None:
    octets = HEAD + b"To: a@example.net\r\n\r\nHi\r\n"
    prepared = raw(
        octets, from_="notify@example.com", subject="", text="a", html="b", headers={"X-A": "a"},
        reply_to=("a@example.net",), attachments=(AttachmentInput(filename="a", content=b""),),
    )  # fmt: skip
    assert sorted(fields(prepared)) == [
        "attachments", "from", "headers", "html", "reply_to", "subject", "text",
    ]  # fmt: skip
    assert made(raw(octets, bcc=("dan@example.net",))).envelope.recipients == ("dan@example.net",)


@pytest.mark.parametrize(
    "head",
    [
        b"From: joe@example.com\r\n",
        b"From: notify@example.com, joe@example.com\r\nSender: notify@example.com\r\n",
        HEAD + b"Sender: joe@example.com\r\n",
        b"From: notify@example.com <joe@example.com>\r\n",
        b"From: joe@example.com (notify@example.com)\r\n",
    ],
)
def test_a_raw_message_is_from_the_portal_s_sender_alone(head: bytes) -> None:
    prepared = raw(head + b"To: a@example.net\r\n\r\nHi\r\n")

    assert fields(prepared) == ["raw"]
    assert isinstance(prepared, Refused)
    assert "joe@example.com" in prepared.message or "Two addresses" in prepared.message


@pytest.mark.parametrize(
    "octets",
    [b"", b"Hello", b"To: a@example.net\r\n\r\n", HEAD + b"To: a@example.net\r\n\r\n\0",
     HEAD + HEAD + b"\r\n", HEAD + b"Received: a\r\n" * 31 + b"To: a@example.net\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_message_is_refused(octets: bytes) -> None:
    assert fields(raw(octets)) == ["raw"]


def test_a_raw_message_has_at_most_1000_recipients() -> None:
    def to(count: int) -> bytes:
        return b"To: " + b",\r\n ".join(b"a%d@example.net" % at for at in range(count))

    submission = made(raw(HEAD + to(MOST_RECIPIENTS) + b"\r\n\r\n"))
    assert len(submission.envelope.recipients) == MOST_RECIPIENTS
    assert fields(raw(HEAD + to(MOST_RECIPIENTS + 1) + b"\r\n\r\n")) == ["raw"]


@given(
    st.builds(
        EmailInput,
        from_=st.none() | st.text(max_size=40),
        to=st.lists(st.text(max_size=40) | st.emails(), max_size=3).map(tuple),
        subject=st.none() | st.text(),
        text=st.none() | st.text(),
        html=st.none() | st.text(),
        headers=st.dictionaries(st.text(max_size=20), st.text(), max_size=3),
        scheduled_at=st.none() | st.text(max_size=20),
        raw=st.none() | st.binary(),
    )
)
def test_anything_is_a_message_or_refused_with_its_faults(given: EmailInput) -> None:
    prepared = prepare_one(given, SENDER, ID, START)

    if isinstance(prepared, Refused):
        assert prepared.faults
        assert all(fault.message for fault in prepared.faults)
    else:
        assert prepared.envelope.recipients
        assert prepared.envelope.sender == "notify@example.com"
