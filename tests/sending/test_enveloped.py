"""Messages that come with their envelope; what SMTP makes of them is in tests/submission."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.address import parse_address
from smarthost.mail.dsn import Dsn, Return
from smarthost.mail.received import Hop
from smarthost.mail_queue.accepted.model import LARGEST_MESSAGE, Submission
from smarthost.portals.model import Portal
from smarthost.sending.enveloped import enveloped
from smarthost.sending.model import EnvelopedInput, FaultKind, Refused
from smarthost.sending.sender import sender_of
from tests.clocks import START
from tests.smtp_settings.relays import relay

PORTAL = Portal(id="p", name="acme", created_at=0, settings_allowed=True)
SENDER = sender_of(PORTAL, relay())
ID = "01a20468-4c81-7568-b9c7-f3a45b943b40"
OWN = parse_address("notify@example.com")
ANNA, EVE = parse_address("anna@example.net"), parse_address("eve@example.net")
HOP = Hop(client_name="app", client_address="192.0.2.7", host="mail.test", protocol="ESMTPA")
CONTENT = b"From: notify@example.com\r\nTo: Anna <anna@example.net>\r\n\r\nHello\r\n"


def submit(content: bytes = CONTENT, **changes: Any) -> Submission | Refused:
    given: dict[str, Any] = {
        "sender": OWN,
        "recipients": (ANNA, EVE),
        "dsn": Dsn(),
        "hop": HOP,
    }
    message = EnvelopedInput(content=content, **(given | changes))
    return enveloped(message, SENDER, ID, START)


def kinds(result: Submission | Refused) -> list[FaultKind]:
    assert isinstance(result, Refused), result
    return [fault.kind for fault in result.faults]


def test_the_envelope_is_what_was_given_and_blind_copies_are_told_to_the_owner() -> None:
    dsn = Dsn(ret=Return.FULL, envelope_id="q1")
    result = submit(dsn=dsn)
    assert isinstance(result, Submission)
    assert result.envelope.sender == "notify@example.com"
    assert result.envelope.recipients == ("anna@example.net", "eve@example.net")
    assert result.envelope.dsn == dsn
    assert result.details.to == ("Anna <anna@example.net>",)
    assert result.details.bcc == ("eve@example.net",)
    assert result.envelope.content.startswith(
        b"Received: from app ([192.0.2.7])\r\n by mail.test with ESMTPA id " + ID.encode()
    )


def test_the_null_reverse_path_stays_null() -> None:
    result = submit(sender=None)
    assert isinstance(result, Submission)
    assert result.envelope.sender == ""


def test_a_foreign_reverse_path_and_a_foreign_from_are_told_together() -> None:
    content = CONTENT.replace(b"notify@", b"other@")
    assert kinds(submit(content, sender=EVE)) == [FaultKind.NOT_ALLOWED] * 2


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"Received: from a by b; c\r\n" * 31 + CONTENT, FaultKind.LOOP),
        (CONTENT + (b"x" * 998 + b"\r\n") * (LARGEST_MESSAGE // 1_000), FaultKind.TOO_LARGE),
        (b"no header\r\n" + CONTENT, FaultKind.INVALID),
        (b" folded\r\n" + CONTENT, FaultKind.INVALID),
    ],
)
def test_the_kind_of_a_fault_is_told(content: bytes, kind: FaultKind) -> None:
    assert kinds(submit(content)) == [kind]


@given(st.binary())
def test_whatever_comes_it_is_a_message_or_refused(content: bytes) -> None:
    lines = b"".join(line.replace(b"\0", b"") + b"\r\n" for line in content.splitlines())
    for octets in (lines, CONTENT + lines, b"X: " + lines + CONTENT):
        result = submit(octets)
        if isinstance(result, Submission):
            assert result.envelope.content.startswith(b"Received: from app ")
        else:
            assert result.faults
