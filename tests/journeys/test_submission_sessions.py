"""An open session heeds what is changed elsewhere, and a key submits for its own portal only."""

import smtplib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.authority import Authority
from tests.cli.program import Program
from tests.contract.service import BASE_DOMAIN, KEYS
from tests.journeys.application import Application, open_tenants
from tests.journeys.served import serving
from tests.journeys.sink import PATIENCE, Sink, running_sink, until
from tests.journeys.submission import HOST, House, make_key, opened

SENDER = "shop@example.com"
TO = "jane@example.net"
MESSAGE = f"From: {SENDER}\nSubject: Your order\n\nIt is on its way.\n"
MOST_RECIPIENTS = 1_000


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with running_sink() as sink:
        yield sink


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, sink: Sink) -> Iterator[House]:
    authority = Authority(folder=tmp_path_factory.mktemp("tls"))
    authority.issue()
    environ = {"SMARTHOST_SUBMISSION_TLS_LISTEN": "127.0.0.1:0", "SMARTHOST_HTTP_TLS": "off"}
    folder = tmp_path_factory.mktemp("smarthost")
    with opened(folder, **environ, **authority.settings()) as house:
        house.application.save(sink.port, SENDER)
        yield house


@pytest.fixture
def house(running: House) -> Iterator[House]:
    """The service; what a test has submitted has gone out when the next one begins."""
    yield running
    until(running.is_idle)


def submit(session: smtplib.SMTP, subject: str = "Your order", sender: str = SENDER) -> str:
    """Submit a message with commands one by one; return the id that the 250 names."""
    session.ehlo_or_helo_if_needed()
    for code, told in (session.mail(sender), session.rcpt(TO)):
        assert code == 250, told
    code, told = session.data(f"From: {sender}\nSubject: {subject}\n\nIt is on its way.\n")
    assert code == 250, told
    words, _, message_id = told.decode().rpartition(" ")
    assert words == "2.0.0 Ok: queued as"
    return message_id


def test_a_key_that_is_revoked_in_a_session_submits_no_more(house: House, sink: Sink) -> None:
    key = make_key(house.application)
    with house.session(key.text) as session:
        submitted = submit(session)
        assert house.application.ask("DELETE", f"{KEYS}/{key.id}").status == 200
        code, told = session.mail(SENDER)
        assert (code, told[:5]) == (421, b"4.7.0"), told
        assert b"revoked" in told
        with pytest.raises(smtplib.SMTPServerDisconnected):
            session.noop()
    assert [one["id"] for one in house.newest()] == [submitted]


def test_of_two_messages_of_a_session_each_takes_the_relay_of_its_time(
    house: House, sink: Sink
) -> None:
    with running_sink() as other, house.session() as session:
        count = len(sink.taken)
        submit(session, "the first")
        assert b"Subject: the first" in sink.wait_for(count + 1)[-1].content
        until(house.is_idle)  # the relay's 250 is written down, and no other has to follow
        house.application.save(other.port, SENDER)
        try:
            submit(session, "the second")
            (taken,) = other.wait_for(1)
        finally:
            house.application.save(sink.port, SENDER)
        assert b"Subject: the second" in taken.content
        submit(session, "the third")
        assert b"Subject: the third" in sink.wait_for(count + 2)[-1].content
        assert len(other.taken) == 1


def test_a_sender_that_is_changed_in_a_session_is_the_next_message_s(
    house: House, sink: Sink
) -> None:
    with house.session() as session:
        submit(session)
        house.application.save(sink.port, "post@example.com")
        try:
            assert session.mail(SENDER)[0] == 550
            submit(session, sender="post@example.com")
        finally:
            house.application.save(sink.port, SENDER)


def test_recipients_beyond_1000_are_for_another_message(house: House, sink: Sink) -> None:
    everybody = [f"n{number}@example.net" for number in range(MOST_RECIPIENTS + 2)]
    with house.session() as session:
        refused = session.sendmail(SENDER, everybody, MESSAGE)
    assert list(refused) == everybody[MOST_RECIPIENTS:]
    assert {code for code, _ in refused.values()} == {452}
    assert all(words.startswith(b"4.5.3 Too many recipients") for _, words in refused.values())


def test_a_message_beyond_the_announced_size_is_refused_before_it_is_sent(house: House) -> None:
    with house.session() as session:
        session.ehlo()
        largest = int(session.esmtp_features["size"])
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            session.sendmail(SENDER, [TO], MESSAGE + "x" * largest)
    assert refused.value.smtp_code == 552
    assert refused.value.smtp_error.startswith(b"5.3.4 ")
    assert str(largest).encode() in refused.value.smtp_error


def test_many_clients_shake_hands_at_once(house: House) -> None:
    def say_hello(_number: int) -> int:
        with smtplib.SMTP_SSL(HOST, house.service.smtps_port, timeout=PATIENCE) as session:
            return session.ehlo()[0]

    with ThreadPoolExecutor(30) as threads:
        assert set(threads.map(say_hello, range(60))) == {250}


NAMES = ("default", "acme")


def test_a_key_submits_for_its_own_portal_only(program: Program) -> None:
    tenants = open_tenants(program, *NAMES[1:])
    environ = {"SMARTHOST_BASE_DOMAIN": BASE_DOMAIN}
    with ExitStack() as stack:
        service = stack.enter_context(serving(program, **environ))
        sinks = {name: stack.enter_context(running_sink()) for name in NAMES}
        for tenant in tenants:
            administrator = Application(process=service.client(tenant.key), host=tenant.host)
            administrator.save(sinks[tenant.name].port, f"post@{tenant.name}.example.com")
        for tenant, other in (tenants, tenants[::-1]):
            own, theirs = (f"post@{one.name}.example.com" for one in (tenant, other))
            session = stack.enter_context(smtplib.SMTP(HOST, service.smtp_port, timeout=PATIENCE))
            # Whatever the user's name says: it is the key that tells whose mail it is.
            session.login(f"{other.name}@{other.host}", tenant.key)
            code, told = session.mail(theirs)
            assert (code, told[:5]) == (550, b"5.7.1")
            session.rset()
            for header in (f"From: {theirs}", f"From: {own}\nSender: {theirs}"):
                session.mail(own)
                session.rcpt(TO)
                code, told = session.data(f"{header}\nSubject: x\n\nx\n")
                assert (code, told[:5]) == (550, b"5.7.1"), header
            submit(session, f"of {tenant.name}", own)
        for name, sink in sinks.items():
            (taken,) = sink.wait_for(1)
            assert taken.sender == f"post@{name}.example.com"
            assert f"\r\nSubject: of {name}\r\n".encode() in taken.content
