"""A message that an application wrote: what is found in it, what is changed, what is refused."""

import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.compose import ComposeError
from smarthost.mail.submitted import LoopError, RawMessageError, Submitted, submitted
from tests.mail.raw_messages import decoded_leaves, leaf, lines, messages, multipart

MESSAGE_ID = "<018f-1@example.com>"
DATE = datetime(2025, 11, 22, 18, 40, 12, tzinfo=UTC)
WHOLE = ("Date: Sat, 22 Nov 2025 18:40:12 +0000", "Message-ID: <own@example.com>")


def taken(raw: bytes) -> Submitted:
    return submitted(raw, message_id=MESSAGE_ID, date=DATE)


def addresses(mailboxes: tuple[object, ...]) -> list[str]:
    return [str(mailbox) for mailbox in mailboxes]


def test_a_whole_message_keeps_every_octet() -> None:
    raw = lines(
        *WHOLE,
        "dkim-signature: v=1; a=rsa-sha256;\r\n\tb=abc",
        "FROM:Ann  <ann@example.com>",
        "To: ben@example.org,\r\n  Carl <carl@example.org>",
        "Subject:  =?iso-8859-1?Q?Gr=FC=DFe?=",
        "X-Odd:",
        "X-Grüße: no",
        "",
        "Hello  ",
        "",
    ).replace("X-Grüße: no\r\n".encode(), b"")
    found = taken(raw)
    assert found.content == raw
    assert found.message_id == "<own@example.com>"
    assert found.subject == "Grüße"
    assert str(found.from_mailbox) == "Ann <ann@example.com>"
    assert found.sender_mailbox is None
    assert addresses(found.to) == ["ben@example.org", "Carl <carl@example.org>"]
    assert (found.cc, found.bcc, found.reply_to) == ((), (), ())


def test_what_is_missing_is_added_behind_the_header() -> None:
    found = taken(lines("From: ann@example.com", "X-Last: x", "", "Hello"))
    assert found.content == lines(
        "From: ann@example.com",
        "X-Last: x",
        "Message-ID: <018f-1@example.com>",
        "Date: Sat, 22 Nov 2025 18:40:12 +0000",
        "",
        "Hello",
    )
    assert found.message_id == MESSAGE_ID


def test_no_blind_copy_stays_in_the_message() -> None:
    raw = lines(
        *WHOLE,
        "Return-Path: <x@example.com>",
        "bcc: dora@example.org,\r\n\temil@example.org",
        "From: ann@example.com",
        "Resent-Bcc: hidden@example.org",
        "Bcc-Note: stays",
        "BCC:",
        "",
        "Bcc: in the body",
    ).replace(b"BCC:\r\n", b"")
    found = taken(raw)
    assert found.content == lines(
        *WHOLE, "From: ann@example.com", "Bcc-Note: stays", "", "Bcc: in the body"
    )
    assert addresses(found.bcc) == ["dora@example.org", "emil@example.org"]


def test_the_header_names_everybody() -> None:
    found = taken(
        lines(
            "From: A <a@x.test>, B <b@x.test>", "Sender: C <c@x.test>", "Reply-To: r@x.test",
            "To: undisclosed-recipients:;", "Cc: Team: d@x.test, =?utf-8?q?=C3=96?= <e@x.test>;",
            "", "x",
        )
    )  # fmt: skip
    assert addresses(found.from_mailboxes) == ["A <a@x.test>", "B <b@x.test>"]
    assert str(found.sender_mailbox) == "C <c@x.test>"
    assert addresses(found.reply_to) == ["r@x.test"]
    assert found.to == ()
    assert addresses(found.cc) == ["d@x.test", "Ö <e@x.test>"]


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_line_ends_become_crlf(end: bytes) -> None:
    whole = lines(*WHOLE, "From: a@x.test", "Subject: a\r\n b", "", "Hello", "", ".", "bye")
    found = taken(whole.replace(b"\r\n", end))
    assert found.content == whole
    assert found.subject == "a b"


def test_one_bare_line_end_becomes_crlf() -> None:
    found = taken(lines(*WHOLE, "From: a@x.test", "", "a\nb"))
    assert found.content == lines(*WHOLE, "From: a@x.test", "", "a", "b")


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b".", b" ", b"\xc3\xbc"])))
def test_no_bare_line_end_is_left(pieces: list[bytes]) -> None:
    found = taken(lines(*WHOLE, "From: a@x.test", "") + b"".join(pieces))
    rest = found.content.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest
    assert found.content.endswith(b"\r\n")


def test_a_last_line_without_end_gets_one() -> None:
    assert taken(lines("From: a@x.test", "", "x")[:-2]).content.endswith(b"\r\n\r\nx\r\n")


@pytest.mark.parametrize("raw", [b"From: a@x.test", b"From: a@x.test\n", b"From: a@x.test\n\n"])
def test_a_message_may_be_a_header_alone(raw: bytes) -> None:
    found = taken(raw)
    assert found.content.endswith(b"Date: Sat, 22 Nov 2025 18:40:12 +0000\r\n\r\n")
    assert found.content.count(b"\r\n\r\n") == 1


def test_the_line_of_a_mail_folder_is_dropped() -> None:
    raw = b"From ann Sat Nov 22 18:40:12 2025\nFrom: a@x.test\n\nFrom here\n"
    found = taken(raw)
    assert found.content.startswith(b"From: a@x.test\r\n")
    assert found.content.endswith(b"\r\n\r\nFrom here\r\n")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "is empty"),
        (b"\r\n\r\nx", "From is missing"),
        (lines("To: a@x.test", "", "x"), "From is missing"),
        (lines("From: ", "", "x"), "From is empty"),
        (lines("From: Team:;", "", "x"), "From is missing"),
        (lines("From: a@x.test", "from: b@x.test", "", "x"), "From is there twice"),
        (lines("From: a@x.test, b@x.test", "", "x"), "Sender names one"),
        (lines("From: a@x.test", "Sender: a@x.test, b@x.test", "", "x"), "Sender has one address"),
        (lines("From: a@x.test", "Sender:", "", "x"), "Sender is empty"),
        (lines("From: a@x.test <b@x.test>", "", "x"), "From cannot be read. Two addresses"),
        (lines("From: a@x.test", "To: Ann", "", "x"), "To cannot be read"),
        (lines("From: a@x.test", "To: a@x.test", "To: b@x.test", "", "x"), "To is there twice"),
        (lines("From: a@x.test", "Subject: a", "SUBJECT: b", "", "x"), "Subject is there twice"),
        (lines("From: a@x.test", "Content-Type: a/b", "content-type: c/d", "", "x"), "twice"),
        (lines("From: a@x.test", "Date:", "", "x"), "Date is empty"),
        (lines("From: a@x.test", "Hello Ben", "", "x"), "the line 'Hello Ben'"),
        (lines("From: a@x.test", "Subject : x", "", "x"), "no name with a colon"),
        (lines(" From: a@x.test", "", "x"), "no name with a colon"),
        (lines("From: a@x.test", "Ü: x", "", "x"), "no name with a colon"),
        (lines("From: a@x.test", "Subject: a\r\n \r\n b", "", "x"), "a line of blanks alone"),
        (b"From: a@x.test\r\nSubject: \xff\r\n\r\nx\r\n", "Subject is not in UTF-8"),
        (b"From: a@x.test\r\n\r\nx\0y\r\n", "NUL"),
        (lines("From: a@x.test", "X: " + "x" * 996, "", "x"), "more than 998 octets. Fold it"),
        (lines("From: a@x.test", *["X: " + "x" * 900] * 300, "", "x"), "more than 262144 octets"),
        (
            lines("From: a@x.test", "Content-Transfer-Encoding: binary", "", "a\nb"),
            "marked as binary",
        ),
        (
            lines("From: a@x.test", "Content-Type: multipart/mixed; boundary=b", "", "a\nb")
            + b"--b\r\n\r\n" * 1001,
            "more than 1000 parts",
        ),
    ],
)
def test_what_cannot_be_sent_is_refused_and_says_why(raw: bytes, why: str) -> None:
    with pytest.raises(RawMessageError, match=why):
        taken(raw)


def test_a_message_that_goes_in_a_circle_is_stopped() -> None:
    received = "Received: from a by b; Sat, 22 Nov 2025 18:40:12 +0000"
    taken(lines(*[received] * 30, "From: a@x.test", "", "x"))
    with pytest.raises(LoopError, match="more than 30 servers"):
        taken(lines(*[received] * 31, "From: a@x.test", "", "x"))


def test_a_missing_header_is_made_from_what_is_one() -> None:
    raw = lines("From: a@x.test", "", "x")
    with pytest.raises(ComposeError, match="Message-ID"):
        submitted(raw, message_id="none", date=DATE)
    with pytest.raises(ComposeError, match="time zone"):
        submitted(raw, message_id=MESSAGE_ID, date=DATE.replace(tzinfo=None))


@pytest.mark.parametrize("length", [998, 999, 5000])
def test_a_line_that_is_too_long_has_its_part_encoded(length: int) -> None:
    near = leaf("text/plain", "8bit", "Grüße  ".encode())
    far = leaf("text/html", "", b"<p>" + b"x" * (length - 3))
    single = leaf("application/pdf", "base64", b"QUJD" * 1000)
    raw = (
        lines(*WHOLE, "From: a@x.test", "MIME-Version: 1.0")
        + multipart("mixed", "b", "binary", [near, far] + [single] * (length > 998))
        + b"\r\n"
    )
    found = taken(raw)
    assert decoded_leaves(found.content) == decoded_leaves(raw)
    assert near in found.content
    assert all(len(line) <= 998 for line in found.content.split(b"\r\n"))
    assert (found.content == raw) == (length == 998)
    assert (b"Content-Transfer-Encoding: 8bit\r\n\r\n--b" in found.content) == (length > 998)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (multipart("signed", "b", "", [leaf("text/plain", "", b"x" * 999)]), "is signed"),
        (multipart("mixed", "b", "", [b"X-Long: " + b"x" * 999 + b"\r\n\r\nx"]), "header X-Long"),
        (b"Content-Type: multipart/mixed\r\n\r\n" + b"x" * 999, "multipart/mixed cannot be"),
        (leaf("text/plain", "base64", b"?" * 999), "not in the encoding base64"),
    ],
)
def test_a_long_line_that_cannot_be_encoded_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(RawMessageError, match=f"more than 998 octets. .*{why}"):
        taken(lines(*WHOLE, "From: a@x.test") + body + b"\r\n")


@given(messages())
def test_any_message_keeps_its_parts(content: bytes) -> None:
    found = taken(content)
    assert decoded_leaves(found.content) == decoded_leaves(content)
    assert taken(found.content).content == found.content


@pytest.mark.parametrize(
    "piece", [b"\r", b"\n", b"\r\n", b"a: b\r\n", b" ", b"x", b"x\r\n ", b":", b"\r\n\r\n"]
)
def test_time_grows_no_faster_than_the_message(piece: bytes) -> None:
    def seconds(times: int) -> float:
        raw = b"From: a@x.test\r\nX: " + piece * (times * 400_000 // len(piece))
        begin = time.process_time()
        with suppress(RawMessageError):
            taken(raw)
        return time.process_time() - begin

    # Eight times the octets: about 8 if it is linear, 64 if it is quadratic.
    assert seconds(8) < 24 * max(seconds(1), 0.005)
