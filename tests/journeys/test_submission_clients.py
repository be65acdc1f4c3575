"""The mail clients that applications have submit unchanged, in clear and with TLS.

What lies in the mailbox behind a real Postfix is what the client has sent, octet for octet, but
for the lines on top in which the servers on the way name themselves.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from tests.authority import Authority
from tests.journeys.mail_clients import CLIENTS, Door, Letter, Tls, each_client
from tests.journeys.postfix import DOMAIN, Postfix, folder_for_postfix, postfix, without_trace
from tests.journeys.sink import until
from tests.journeys.submission import House, opened

pytestmark = pytest.mark.needs("postfix", "saslpasswd2")

SENDER = f"shop@{DOMAIN}"
TO, OTHER, COPY, BLIND = (f"{name}@{DOMAIN}" for name in ("jane", "joe", "carol", "dan"))
UMLAUTS = "Gr\u00fc\u00dfe aus K\u00f6ln \u2013 \u65e5\u672c\u8a9e \U0001f4ee"
WRONG_KEY = "sh_0000000000000000000000000000000000000000000000000000000000000000"


@dataclass(frozen=True, kw_only=True)
class Desk:
    relay: Postfix
    ca_file: Path
    in_clear: House
    with_tls: House

    def house(self, tls: Tls) -> House:
        return self.in_clear if tls is Tls.NONE else self.with_tls

    def door(self, tls: Tls) -> Door:
        house = self.house(tls)
        implicit = tls is Tls.IMPLICIT
        return Door(
            port=house.service.smtps_port if implicit else house.service.smtp_port,
            tls=tls,
            key=house.key.text,
            ca_file=None if tls is Tls.NONE else self.ca_file,
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One service without a certificate, as on a developer's machine, and one with."""
    authority = Authority(folder=tmp_path_factory.mktemp("tls"))
    authority.issue()
    encrypted = {
        "SMARTHOST_SUBMISSION_TLS_LISTEN": "127.0.0.1:0",
        "SMARTHOST_HTTP_TLS": "off",
        **authority.settings(),
    }
    with ExitStack() as stack:
        folder = stack.enter_context(folder_for_postfix())
        relay = stack.enter_context(postfix(folder, "127.0.0.1", {"relay": {}}))
        in_clear, with_tls = (
            stack.enter_context(opened(tmp_path_factory.mktemp("smarthost"), **environ))
            for environ in ({}, encrypted)
        )
        for house in (in_clear, with_tls):
            house.application.save(relay.services["relay"][1], SENDER)
        yield Desk(relay=relay, ca_file=authority.ca_file, in_clear=in_clear, with_tls=with_tls)


@pytest.fixture(autouse=True)
def _emptied(desk: Desk) -> None:
    desk.relay.forget()


LETTER = Letter(
    sender=SENDER,
    to=[TO, OTHER],
    cc=[COPY],
    bcc=[BLIND],
    subject=UMLAUTS,
    # RFC 5321, section 4.5.2: where a dot is at the start of a line there are two on the way.
    text=f".\n..\n.{UMLAUTS}\n\n{UMLAUTS}\n",
    files={"octets.bin": bytes(range(256)) * 40, "Gr\u00fc\u00dfe.txt": UMLAUTS.encode()},
)


def content(house: House, arrived: bytes, protocol: str) -> bytes:
    """Return what has arrived, with CRLF, after a look at the trace that Smarthost left on top."""
    by = r"by smarthost\.example\.com with (\w+) id ([0-9a-f-]{36})"
    found = re.search(by, arrived.decode())
    assert found is not None
    assert found[1] == protocol
    until(lambda: house.application.event(found[2]) == "sent")
    return without_trace(arrived).replace(b"\n", b"\r\n")


def without_bcc(octets: bytes) -> bytes:
    return re.sub(rb"^Bcc: .*\r\n", b"", octets, count=1, flags=re.MULTILINE)


def read(octets: bytes) -> EmailMessage:
    message = message_from_bytes(octets, policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize("tls", Tls)
@pytest.mark.parametrize("client", each_client())
def test_what_a_client_submits_arrives_octet_for_octet(desk: Desk, client: str, tls: Tls) -> None:
    house = desk.house(tls)
    told = CLIENTS[client](desk.door(tls), LETTER)

    assert told.fault == ""
    arrived = desk.relay.delivered_to(*LETTER.recipients)
    protocol = "ESMTPA" if tls is Tls.NONE else "ESMTPSA"
    for to, octets in arrived.items():
        assert content(house, octets, protocol) == without_bcc(told.content)
        if to != BLIND:
            assert BLIND.encode() not in octets
    message = read(without_trace(arrived[TO]))
    assert (message["Subject"], message["From"]) == (UMLAUTS, SENDER)
    assert (message["To"], message["Cc"]) == (f"{TO}, {OTHER}", COPY)
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().rstrip("\n") == LETTER.text.rstrip("\n")
    files = {
        part.get_filename(): part.get_payload(decode=True) for part in message.iter_attachments()
    }
    assert files == LETTER.files


BEYOND_ASCII = replace(LETTER, to=[TO, f"gr\u00fc\u00dfe@{DOMAIN}"], cc=[], bcc=[])


@pytest.mark.parametrize("client", each_client("smtplib", "nodemailer", "curl"))
def test_an_address_beyond_ascii_arrives_as_it_was_written(desk: Desk, client: str) -> None:
    told = CLIENTS[client](desk.door(Tls.STARTTLS), BEYOND_ASCII)

    assert told.fault == ""
    for octets in desk.relay.delivered_to(*BEYOND_ASCII.recipients).values():
        assert content(desk.with_tls, octets, "UTF8SMTPSA") == told.content


def test_a_large_message_arrives_octet_for_octet(desk: Desk) -> None:
    large = replace(LETTER, to=[TO], cc=[], bcc=[], files={"large": bytes(range(256)) * 20_480})
    told = CLIENTS["smtplib"](desk.door(Tls.IMPLICIT), large)

    assert told.fault == ""
    assert content(desk.with_tls, desk.relay.delivered_octets(), "ESMTPSA") == told.content


def test_a_message_without_id_and_date_gets_both(desk: Desk) -> None:
    with desk.in_clear.session() as smtp:
        smtp.sendmail(SENDER, [TO], f"From: {SENDER}\n\nNo more than this.\n")
    arrived = desk.relay.delivered_octets()
    message = read(content(desk.in_clear, arrived, "ESMTPA"))
    assert re.fullmatch(rf"<[0-9a-f-]{{36}}@{DOMAIN}>", message["Message-ID"])
    assert abs(message["Date"].datetime - datetime.now(tz=UTC)) < timedelta(minutes=1)
    assert message.get_content() == "No more than this.\r\n"


# What each client says of its own, and of the reply what it passes on.
UNTRUSTED = {
    "smtplib": "CERTIFICATE_VERIFY_FAILED",
    "django": "CERTIFICATE_VERIFY_FAILED",
    "nodemailer": "unable to verify the first certificate",
    "swaks": "certificate verify failed",
    "msmtp": "certificate verification failed",
    "curl": "SSL certificate problem",
}


@pytest.mark.parametrize("client", each_client())
def test_a_client_that_does_not_trust_the_certificate_submits_nothing(
    desk: Desk, client: str
) -> None:
    before = desk.with_tls.newest()
    told = CLIENTS[client](replace(desk.door(Tls.STARTTLS), ca_file=None), LETTER)

    assert UNTRUSTED[client] in told.fault
    assert desk.with_tls.newest() == before


WRONG_LOGIN = {
    "smtplib": "SMTPAuthenticationError(535, b'5.7.8 Login refused: the password is an API key",
    "django": "SMTPAuthenticationError(535, b'5.7.8 Login refused: the password is an API key",
    "nodemailer": "EAUTH 535 Invalid login: 535 5.7.8 Login refused: the password is an API key",
    "swaks": "535 5.7.8 Login refused: the password is an API key",
    "msmtp": "535 5.7.8 Login refused: the password is an API key",
    "curl": "Login denied",
}


@pytest.mark.parametrize("client", each_client())
def test_a_wrong_key_is_the_client_s_own_error(desk: Desk, client: str) -> None:
    before = desk.in_clear.newest()
    told = CLIENTS[client](replace(desk.door(Tls.NONE), key=WRONG_KEY), LETTER)

    assert WRONG_LOGIN[client] in told.fault
    assert desk.in_clear.newest() == before


FOREIGN_SENDER = {
    "smtplib": 'SMTPSenderRefused(550, b"5.7.1 ',
    "django": 'SMTPSenderRefused(550, b"5.7.1 ',
    "nodemailer": "EENVELOPE 550 Mail command failed: 550 5.7.1 ",
    "swaks": "550 5.7.1 ",
    "msmtp": "550 5.7.1 ",
    "curl": "MAIL failed: 550",
}


@pytest.mark.parametrize("client", each_client())
def test_a_sender_that_is_not_the_portal_s_is_the_client_s_own_error(
    desk: Desk, client: str
) -> None:
    before = desk.in_clear.newest()
    told = CLIENTS[client](desk.door(Tls.NONE), replace(LETTER, sender=f"boss@{DOMAIN}"))

    assert FOREIGN_SENDER[client] in told.fault
    if client != "curl":
        assert SENDER in told.fault, "it names whom the portal may send as"
    assert desk.in_clear.newest() == before
