"""What lies in the mailbox behind a real Postfix is what was accepted, octet for octet.

But for the lines on top, in which the servers on the way name themselves, and their line ends.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest

from tests.cli.program import Program
from tests.journeys.application import Application
from tests.journeys.postfix import DOMAIN, Postfix, folder_for_postfix, postfix, without_trace
from tests.journeys.reconciled import rows
from tests.journeys.served import serving
from tests.journeys.sink import until

pytestmark = pytest.mark.needs("postfix", "saslpasswd2")

SENDER = f"post@{DOMAIN}"
TO, COPY, BLIND = (f"{name}@{DOMAIN}" for name in ("jane", "carol", "dan"))
FIVE_MEBIBYTES = bytes(range(256)) * 20 * 1024
# RFC 5321, section 4.5.2: where a dot is at the start of a line there are two on the way.
DOTS = ".\n..\n...\n.hidden\n\n.\nand . in the middle.\n.\n"
UMLAUTS = "Gr\u00fc\u00dfe aus K\u00f6ln \u2013 \u65e5\u672c\u8a9e \U0001f4ee"


@dataclass(frozen=True, kw_only=True)
class Desk:
    program: Program
    application: Application
    relay: Postfix

    def sent(self, service: str = "as it is", **fields: object) -> tuple[bytes, bytes]:
        """Send an e-mail; return what was accepted and what has arrived, with CRLF both."""
        self.relay.forget()
        _, port = self.relay.services[service]
        self.application.save(port, SENDER)
        answer = self.application.ask("POST", "/emails", {"to": TO, **fields})
        assert answer.status == 200, answer.body
        message_id = answer.json()["id"]
        arrived = without_trace(self.relay.delivered_octets())
        until(lambda: self.application.event(message_id) == "sent")
        ((accepted,),) = rows(
            self.program.data_dir,
            "SELECT content FROM message_bodies WHERE message_id = ?",
            message_id,
        )
        return accepted, arrived.replace(b"\n", b"\r\n")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    services = {
        "as it is": {},
        "seven bits": {"smtpd_discard_ehlo_keywords": "8bitmime, smtputf8, pipelining"},
    }
    program = Program(folder=tmp_path_factory.mktemp("smarthost"))
    with folder_for_postfix() as folder, postfix(folder, "127.0.0.1", services) as relay:
        key = program.init()
        with serving(program, SMARTHOST_KEEP_SENT_SECONDS="3600") as served:
            application = Application(process=served.client(key))
            yield Desk(program=program, application=application, relay=relay)


def read(octets: bytes) -> EmailMessage:
    message = message_from_bytes(octets, policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


COMPOSED: dict[str, dict[str, Any]] = {
    "ascii": {"subject": "Your order", "text": "It is on its way.\n"},
    "nothing behind the last line": {"subject": "", "text": "no line end"},
    "dots": {"subject": ".", "text": DOTS},
    "utf-8": {"subject": UMLAUTS, "text": f"{UMLAUTS}\n", "html": f"<p>{UMLAUTS}</p>"},
    "a long line": {"subject": "x" * 500, "text": f"{'word ' * 1000}\n{'y' * 5000}\n"},
    "attachments": {
        "subject": "Files",
        "html": "<img src='cid:logo'>",
        "attachments": [
            {"filename": f"{UMLAUTS}.txt", "content": "LgouLgo="},
            {"filename": "logo.png", "content": "iVBORw0KGgo=", "content_id": "logo"},
        ],
    },
    "five mebibytes": {
        "subject": "Large",
        "text": "See there.\n",
        "attachments": [
            {"filename": "large.bin", "content": base64.b64encode(FIVE_MEBIBYTES).decode()}
        ],
    },
}


@pytest.mark.parametrize("name", COMPOSED)
@pytest.mark.parametrize("service", ["as it is", "seven bits"])
def test_what_was_accepted_arrives_octet_for_octet(desk: Desk, name: str, service: str) -> None:
    fields = COMPOSED[name]
    accepted, arrived = desk.sent(service, **fields)

    assert arrived == accepted
    message = read(arrived)
    assert (message["From"], message["To"]) == (SENDER, TO)
    assert message["Subject"].lstrip() == fields["subject"]  # folded before a long word
    for kind, field in (("plain", "text"), ("html", "html")):
        if field in fields:
            body = message.get_body((kind,))
            assert body is not None
            given = fields[field]
            assert body.get_content().replace("\r\n", "\n").rstrip("\n") == given.rstrip("\n")
    files = {
        part.get_filename(): part.get_payload(decode=True)
        for part in message.walk()
        if part.get_filename()
    }
    assert files == {
        one["filename"]: base64.b64decode(one["content"]) for one in fields.get("attachments", ())
    }


RAW = (
    f"Received: from app by web; Sun, 22 Nov 2026 20:00:00 +0000\r\n"
    f"From:   {SENDER}\r\n"
    f"To: {TO},\r\n\t{COPY}\r\n"
    "X-Odd:  kept   as it\tis \r\n"
    "Date: Sun, 22 Nov 2026 20:00:00 +0000\r\n"
    "Message-ID: <own@example.com>\r\n"
    "Subject: =?utf-8?q?R=C3=A4w?=\r\n"
).encode()
BODIES = {
    "ascii": ("7bit", b".\r\n..\r\nend \t\r\n\r\n\r\n"),
    "8-bit": ("8bit", f"{UMLAUTS}\r\n.{UMLAUTS}\r\n".encode()),
    "latin 1": ("8bit", b"\xc4\xd6\xdc\xe4\r\n.\xf6\r\n"),
}


def raw(name: str) -> tuple[bytes, bytes]:
    """Return a message with a blind copy, and what is to arrive of it."""
    encoding, body = BODIES[name]
    charset = "iso-8859-1" if name == "latin 1" else "utf-8"
    mime = (
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode()
    return RAW + f"Bcc: {BLIND}\r\n".encode() + mime + body, RAW + mime + body


@pytest.mark.parametrize("name", BODIES)
def test_a_raw_message_arrives_as_it_was_written_but_for_its_blind_copies(
    desk: Desk, name: str
) -> None:
    given, expected = raw(name)
    accepted, arrived = desk.sent(to=TO, raw=base64.b64encode(given).decode())

    assert accepted == expected
    # The application's own trace line goes with those that Postfix has put on top of it.
    assert arrived == expected.removeprefix(RAW[: RAW.index(b"From:")])


@pytest.mark.parametrize("name", BODIES)
def test_through_a_relay_of_seven_bits_it_says_the_same(desk: Desk, name: str) -> None:
    given, expected = raw(name)
    accepted, arrived = desk.sent("seven bits", to=TO, raw=base64.b64encode(given).decode())

    assert accepted == expected
    assert arrived.isascii()
    before, after = read(expected), read(arrived)
    assert after.get_content() == before.get_content()
    assert after["X-Odd"] == before["X-Odd"]


def test_whom_a_blind_copy_goes_to_nobody_else_reads(desk: Desk) -> None:
    desk.relay.forget()
    _, port = desk.relay.services["as it is"]
    desk.application.save(port, SENDER)
    given, _ = raw("ascii")
    for fields in (
        {"to": TO, "cc": COPY, "bcc": BLIND, "subject": "Blind", "text": "x"},
        {"raw": base64.b64encode(given).decode()},
    ):
        answer = desk.application.ask("POST", "/emails", fields)
        assert answer.status == 200, answer.body
        for to, octets in desk.relay.delivered_to(TO, COPY, BLIND).items():
            content = without_trace(octets)
            assert b"bcc" not in content.lower()
            assert BLIND.encode() not in content
            if to != BLIND:
                assert BLIND.encode() not in octets
