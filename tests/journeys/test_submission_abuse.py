"""Who only costs time at the submission port slows nobody, and nobody relays who has no key."""

import base64
import contextlib
import itertools
import re
import smtplib
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.journeys.sink import Sink, running_sink
from tests.journeys.submission import HOST, USER, House, opened

SENDER = "shop@example.com"
TO = "jane@example.net"
MESSAGE = f"From: {SENDER}\r\nSubject: Your order\r\n\r\nIt is on its way.\r\n"
MANY = 125
"""Slow clients of each kind."""
FROM_ONE_ADDRESS = 50
LONGEST_SECONDS = 30.0
"""Twice what the service gives a client that says nothing, and some more on a busy machine."""


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("smarthost")
    with opened(folder, SMARTHOST_LOG_LEVEL="info") as house:
        house.application.save(sink.port, SENDER)
        yield house


class Slow:
    """A client that has been greeted, and from then on says little or nothing."""

    def __init__(self, house: House, address: str) -> None:
        self._socket = socket.create_connection(
            ("127.0.0.1", house.service.smtp_port), timeout=30, source_address=(address, 0)
        )
        self._rest: Iterator[bytes] = iter(())
        self.said_to("", "220 ")

    def said_to(self, line: str, last: str) -> None:
        """Send a line or several, and read up to the reply that begins like `last`."""
        if line:
            self._socket.sendall(line.encode())
        heard = ""
        while not re.search(rf"^{last}.*\r\n\Z", heard, re.MULTILINE):
            octets = self._socket.recv(4096)
            assert octets, heard
            heard += octets.decode()

    def begin_message(self, key: str) -> None:
        response = base64.b64encode(f"\0{USER}\0{key}".encode()).decode()
        self.said_to("EHLO client.example.com\r\n", "250 ")
        self.said_to(f"AUTH PLAIN {response}\r\n", "235 ")
        self.said_to(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{TO}>\r\nDATA\r\n", "354 ")

    def drip_from_now_on(self, first: bytes) -> None:
        """Have each `drip` send one octet, of `first` and then of something endless."""
        octets = itertools.chain(first, itertools.repeat(ord("x")))
        self._rest = (bytes([octet]) for octet in octets)

    def drip(self) -> None:
        with contextlib.suppress(ConnectionError):
            for octet in itertools.islice(self._rest, 1):
                self._socket.sendall(octet)

    def is_still_served(self) -> bool:
        """Whether the service has said nothing since, and not closed the connection."""
        self._socket.setblocking(False)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except ConnectionError:
            pass
        return False

    def last_words(self) -> bytes:
        """Return what the service says before it closes the connection."""
        self._socket.settimeout(30)
        return b"".join(iter(lambda: self._socket.recv(4096), b""))

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def slow_clients(house: House) -> Iterator[tuple[list[Slow], list[Slow]]]:
    """Give 500 of them: those that never log in, and those that never end a message."""
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(4 * MANY):
            address = f"127.0.1.{1 + number // FROM_ONE_ADDRESS}"
            clients.append(stack.enter_context(contextlib.closing(Slow(house, address))))
            # These first: the others are not given long.
            if number < MANY:
                clients[number].begin_message(house.key.text)
                clients[number].drip_from_now_on(b"Subject: ")
            elif number < 2 * MANY:
                clients[number].drip_from_now_on(b"EHLO ")
        yield clients[MANY:], clients[:MANY]


def test_500_slow_clients_do_not_slow_an_honest_one(house: House, sink: Sink) -> None:
    seconds: list[float] = []
    with slow_clients(house) as (strangers, messages):
        deadline = time.monotonic() + LONGEST_SECONDS
        # They are there for as long as they are given to log in.
        while any(client.is_still_served() for client in strangers):
            assert time.monotonic() < deadline, "a client that never logs in is not sent away"
            for client in (*strangers, *messages):
                client.drip()
            began = time.monotonic()
            with house.session() as session:
                assert session.sendmail(SENDER, [TO], MESSAGE) == {}
            seconds.append(time.monotonic() - began)
        assert all(client.is_still_served() for client in messages)
        assert {client.last_words()[:10] for client in strangers[MANY:]} == {b"421 4.4.2 "}
    assert len(seconds) > 20
    assert statistics.quantiles(seconds, n=20)[-1] < 1.0
    sink.wait_for(len(seconds))


FOREIGN_SENDERS = (
    "spam@example.org",
    "boss@example.com",
    "shop@sub.example.com",
    "shop@example.com.example.org",
    "shop@example.org",
    "shop@[127.0.0.1]",
    "shop%example.com@example.org",
    "example.com!shop@example.org",
    '"shop@example.com"@example.org',
    "shop@example.com@example.org",
    "shop@example.com,boss@example.com",
    "shop+boss@example.com",
    "shop",
)
FOREIGN_AUTHORS = (
    "From: boss@example.com",
    "from:boss@example.com",
    "From:\r\n boss@example.com",
    f"From: {SENDER} <boss@example.com>",
    f'From: "{SENDER}" <boss@example.com>',
    f"From: {SENDER}, boss@example.com",
    f"From: boss@example.com, {SENDER}",
    f"From: bosses: boss@example.com, {SENDER};",
    f"From: {SENDER}\r\nFrom: boss@example.com",
    f"From: boss@example.com\r\nFrom: {SENDER}",
    f"From: {SENDER}\r\nfRoM: boss@example.com",
    f"From: {SENDER}\r\nFrom : boss@example.com",
    f"From: {SENDER}\r\nSender: boss@example.com",
    f"From: {SENDER}\r\nSender: {SENDER}\r\nSender: boss@example.com",
    f"From: (shop@example.com) boss@example.com (<{SENDER}>)",
    f"From: <boss@example.com>{SENDER}",
    "From: =?utf-8?q?shop=40example.com?= <boss@example.com>",
    "From: =?utf-8?q?shop=40example.com?=",
    f"From: shop@example.com.example.org\r\nX-From: {SENDER}",
    f"Reply-To: {SENDER}",
)


@pytest.mark.needs("nmap")
def test_nmap_finds_no_open_relay(house: House) -> None:
    line = ("nmap", "-n", "-Pn", "-sT", "-p", str(house.service.smtp_port), "127.0.0.1")
    scripts = ("--script", "+smtp-open-relay", "--script-args", "smtp.domain=example.com")
    done = subprocess.run(
        [*line, *scripts], capture_output=True, text=True, timeout=60, check=True
    )
    assert "Server isn't an open relay, authentication needed" in done.stdout


def relay_forms(domain: str, address: str) -> Iterator[tuple[str, str]]:
    """Give the pairs of MAIL and RCPT that have made relays of servers, as a stranger tries them.

    `domain` is the server's, `address` where it listens; the mail is for somewhere else.
    """
    victim = "relaytest@example.org"
    senders = ("", "spam@example.org", f"spam@{domain}", f"spam@[{address}]", f"root@{domain}")
    user, _, elsewhere = victim.partition("@")
    recipients = [victim, f'"{victim}"', f'"{user}%{elsewhere}"', f"{elsewhere}!{user}"]
    for here in (f"[{address}]", domain):
        recipients += [
            f"{user}%{elsewhere}@{here}",
            f"{victim}@{here}",
            f'"{victim}"@{here}',
            f"@{here}:{victim}",
            f"{elsewhere}!{user}@{here}",
        ]
    return itertools.product(senders, recipients)


FORMS_OF_A_SESSION = 5  # before it has had enough of errors
LOGIN_FIRST = (530, b"5.7.0")
FORMS = list(relay_forms("smarthost.example.com", "127.0.0.1"))


def test_without_a_key_no_form_of_envelope_is_taken(house: House) -> None:
    before = house.newest()
    for first in range(0, len(FORMS), FORMS_OF_A_SESSION):
        with smtplib.SMTP(HOST, house.service.smtp_port, timeout=30) as session:
            session.ehlo("client.example.com")
            for sender, recipient in FORMS[first : first + FORMS_OF_A_SESSION]:
                code, told = session.docmd("MAIL", f"FROM:<{sender}>")
                assert (code, told[:5]) in (LOGIN_FIRST, (501, b"5.1.7")), sender
                assert session.docmd("RCPT", f"TO:<{recipient}>")[0] >= 500, recipient
                assert session.docmd("DATA")[0] >= 500
    assert house.newest() == before


def test_with_a_key_only_the_portal_s_sender_is_taken(house: House) -> None:
    before = house.newest()
    for sender in FOREIGN_SENDERS:
        with house.session() as session:
            code, _ = session.docmd("MAIL", f"FROM:<{sender}>")
            assert code in (501, 550), sender
            assert session.docmd("RCPT", f"TO:<{TO}>")[0] == 503
            assert session.docmd("DATA")[0] == 503
    assert house.newest() == before


@pytest.mark.parametrize("reverse_path", ["", SENDER])
def test_with_a_key_no_message_names_another_author(house: House, reverse_path: str) -> None:
    before = house.newest()
    with house.session() as session:
        for header in FOREIGN_AUTHORS:
            assert session.docmd("MAIL", f"FROM:<{reverse_path}>")[0] == 250
            assert session.rcpt(TO)[0] == 250
            code, told = session.data(f"{header}\r\nSubject: x\r\n\r\nx\r\n")
            assert code in (550, 554), (header, told)
    assert house.newest() == before
