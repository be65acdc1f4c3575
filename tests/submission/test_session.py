"""Sessions led without a network: what is said to every command in every state."""

import pytest

from smarthost.mail.dsn import Notify, Return
from smarthost.submission import replies
from smarthost.submission.limits import Limits
from tests.submission.led import HOST, KEY, LIMITS, Led, led, logged_in, octet_by_octet, plain

EHLO = b"EHLO app.example.com\r\n"
MAIL = b"MAIL FROM:<anna@example.com>\r\n"
RCPT = b"RCPT TO:<bob@example.net>\r\n"
DATA = b"DATA\r\n"
CONTENT = b"From: anna@example.com\r\n\r\nHello\r\n..dot\r\n.\r\n"


def extensions(session: Led) -> list[str]:
    return list(session.said[-1].lines[1:])


def test_the_greeting_names_the_host_and_esmtp() -> None:
    assert led().session.greeting().octets == f"220 {HOST} ESMTP Smarthost\r\n".encode()


def test_ehlo_offers_what_there_is() -> None:
    session = led(EHLO)
    assert session.said[0].lines[0] == HOST
    assert extensions(session) == [
        "PIPELINING",
        "SIZE 1000",
        "8BITMIME",
        "SMTPUTF8",
        "ENHANCEDSTATUSCODES",
        "DSN",
        "AUTH PLAIN LOGIN",
    ]
    assert "STARTTLS" in extensions(led(EHLO, starttls=True))
    assert "AUTH PLAIN LOGIN" not in extensions(led(EHLO, starttls=True, login_in_clear=False))
    assert "AUTH PLAIN LOGIN" not in extensions(logged_in(EHLO))
    assert led(b"HELO app\r\n").octets == f"250 {HOST}\r\n".encode()


def test_a_message_goes_its_way() -> None:
    session = led(EHLO, plain(), MAIL, RCPT, DATA, CONTENT, b"QUIT\r\n")

    assert session.codes == [250, 235, 250, 250, 354, 250, 221]
    assert session.over
    (message,) = session.messages
    assert str(message.mail.path) == "anna@example.com"
    assert list(map(str, message.recipients)) == ["bob@example.net"]
    assert message.content == b"From: anna@example.com\r\n\r\nHello\r\n.dot\r\n"
    assert message.client_name == "app.example.com"


def test_a_group_of_commands_is_answered_one_by_one_and_in_order() -> None:
    session = logged_in(MAIL + RCPT + RCPT + DATA, CONTENT + MAIL + RCPT + DATA, CONTENT)
    assert session.codes == [250, 250, 250, 354, 250, 250, 250, 354, 250]
    assert len(session.messages) == 2


CONVERSATIONS = {
    "group by group": [
        EHLO,
        plain(),
        MAIL + RCPT + DATA,
        CONTENT + b"RSET\r\n" + MAIL + b"RCPT TO:<>\r\n" + RCPT + DATA,
        CONTENT + b"NOOP\r\nFOO\r\nQUIT\r\n",
    ],
    "one by one": [
        EHLO, plain(), MAIL, RCPT, DATA, CONTENT, b"RSET\r\n", MAIL, b"RCPT TO:<>\r\n", RCPT, DATA,
        CONTENT, b"NOOP\r\n", b"FOO\r\n", b"QUIT\r\n",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_wherever_it_is_cut_a_conversation_is_the_same(name: str) -> None:
    """A client that waits for the 354 and the end of AUTH is cut anywhere else."""
    turns = CONVERSATIONS[name]
    expected = led(*CONVERSATIONS["one by one"])
    assert expected.codes.count(354) == 2
    for turn, octets in enumerate(turns):
        for at in range(len(octets)):
            cut = led(*turns[:turn], octets[:at], octets[at:], *turns[turn + 1 :])
            assert (cut.octets, cut.messages) == (expected.octets, expected.messages)
    dripping = led(*(octet for octets in turns for octet in octet_by_octet(octets)))
    assert (dripping.octets, dripping.messages) == (expected.octets, expected.messages)


@pytest.mark.parametrize(
    ("commands", "codes"),
    [
        (MAIL, [503]),
        (EHLO + MAIL, [250, 530]),
        (EHLO + RCPT, [250, 530]),
        (EHLO + DATA, [250, 530]),
        (EHLO + b"VRFY anna\r\n", [250, 530]),
        (EHLO + b"HELP\r\nNOOP\r\nRSET\r\nQUIT\r\n", [250, 214, 250, 250, 221]),
        (plain(), [503]),
        (b"HELO app\r\n" + plain(), [250, 503]),
        (EHLO + plain() + plain(), [250, 235, 503]),
        (EHLO + plain() + RCPT, [250, 235, 503]),
        (EHLO + plain() + DATA, [250, 235, 503]),
        (EHLO + plain() + MAIL + DATA, [250, 235, 250, 503]),
        (EHLO + plain() + MAIL + MAIL, [250, 235, 250, 503]),
        (EHLO + plain() + MAIL + EHLO + RCPT, [250, 235, 250, 250, 503]),
        (EHLO + plain() + MAIL + b"RSET\r\n" + RCPT, [250, 235, 250, 250, 503]),
        (EHLO + plain() + b"MAIL FROM:<anna@example.org>\r\n" + RCPT, [250, 235, 550, 503]),
        (EHLO + plain() + b"MAIL FROM:<>\r\n" + RCPT, [250, 235, 250, 250]),
        (EHLO + plain() + b"VRFY anna\r\n", [250, 235, 252]),
        (EHLO + b"STARTTLS\r\n", [250, 502]),
        (EHLO + b"AUTH CRAM-MD5\r\n", [250, 504]),
        (EHLO + b"AUTH LOGIN\r\n*\r\nNOOP\r\n", [250, 334, 501, 250]),
        (EHLO + b"AUTH LOGIN\r\n?\r\nNOOP\r\n", [250, 334, 501, 250]),
        (EHLO + b"AUTH PLAIN AAAA\r\n", [250, 501]),
    ],
)
def test_what_comes_at_the_wrong_time_is_refused(commands: bytes, codes: list[int]) -> None:
    assert led(commands).codes == codes
    assert led(*octet_by_octet(commands)).codes == codes


@pytest.mark.parametrize(
    "begin",
    [b"NOOP\n", b"NOOP\r\r\n", b"N\0OOP\r\n", b"x" * 3_000, b"AUTH PLAIN " + b"x" * 13_000],
)
def test_what_is_no_line_ends_the_session(begin: bytes) -> None:
    session = led(EHLO, begin + b"\r\nNOOP\r\n")
    assert session.codes == [250, 500]
    assert session.over


def test_a_login_takes_three_attempts_at_the_most() -> None:
    session = led(EHLO, plain("wrong") + plain("wrong") + plain("wrong") + plain())
    assert session.codes == [250, 535, 535, 421]
    assert session.over


# What nmap's smtp-open-relay tries, with this server's own names in place of its.
OPEN_RELAY_SENDERS = (
    b"",
    b"antispam@example.com",
    b"antispam@[192.0.2.1]",
    b"antispam@" + HOST.encode(),
)
OPEN_RELAY_RECIPIENTS = (
    b"relaytest@example.net",
    b"relaytest%example.net@[192.0.2.1]",
    b"relaytest%example.net@" + HOST.encode(),
    b'"relaytest@example.net"',
    b'"relaytest%example.net"',
    b"relaytest@example.net@[192.0.2.1]",
    b'"relaytest@example.net"@[192.0.2.1]',
    b"relaytest@example.net@" + HOST.encode(),
    b"@[192.0.2.1]:relaytest@example.net",
    b"@" + HOST.encode() + b":relaytest@example.net",
    b"example.net!relaytest",
    b"example.net!relaytest@[192.0.2.1]",
    b"example.net!relaytest@" + HOST.encode(),
)


@pytest.mark.parametrize("sender", OPEN_RELAY_SENDERS)
def test_without_login_no_form_of_address_is_relayed_for(sender: bytes) -> None:
    limits = Limits(errors=100)
    for recipient in OPEN_RELAY_RECIPIENTS:
        session = led(EHLO, b"MAIL FROM:<%b>\r\n" % sender, limits=limits)
        session.feed(b"RCPT TO:<%b>\r\n" % recipient + DATA)
        assert session.codes[0] == 250
        assert all(code >= 500 for code in session.codes[1:])
        assert session.feed(CONTENT)[0] >= 500


def test_login_asks_for_name_and_password() -> None:
    session = led(EHLO, b"AUTH LOGIN\r\n", b"YXBw\r\n", b"dGhlIHJpZ2h0IGtleQ==\r\n")
    assert session.octets.endswith(
        b"334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n235 2.7.0 Logged in\r\n"
    )


def test_in_clear_nobody_logs_in_from_elsewhere() -> None:
    session = led(EHLO + plain() + MAIL, starttls=True, login_in_clear=False)
    assert session.codes == [250, 538, 530]
    assert "TLS" in session.said[2].lines[0]


def test_after_starttls_all_is_forgotten() -> None:
    session = led(EHLO, b"STARTTLS\r\n", MAIL, starttls=True, login_in_clear=False)
    assert session.codes == [250, 220, 503]
    assert session.tls_begun == 1
    assert session.feed(EHLO) == [250]
    assert "STARTTLS" not in extensions(session)
    assert "AUTH PLAIN LOGIN" in extensions(session)
    assert session.feed(b"STARTTLS\r\n" + plain() + MAIL) == [503, 235, 250]


def test_tls_begins_before_the_login() -> None:
    session = led(EHLO, plain(), b"STARTTLS\r\n", MAIL, starttls=True)
    assert session.codes == [250, 235, 503, 250]


@pytest.mark.parametrize("behind", [MAIL, b"x", b"\r\n", b"\x16\x03\x01"])
def test_what_stands_behind_starttls_is_not_run_and_ends_the_session(behind: bytes) -> None:
    session = led(EHLO, b"STARTTLS\r\n" + behind, starttls=True)
    assert session.codes == [250, 554]
    assert session.over
    assert not session.tls_begun


@pytest.mark.parametrize("behind", [CONTENT, b".\r\n", b"x", b"RSET\r\n"])
def test_a_message_before_its_354_ends_the_session(behind: bytes) -> None:
    session = logged_in(MAIL + RCPT + DATA + behind)
    assert session.codes == [250, 250, 554]
    assert session.over
    assert not session.messages


def test_too_many_recipients_are_for_another_message() -> None:
    several = b"".join(b"RCPT TO:<%d@example.net>\r\n" % number for number in range(4))
    session = logged_in(MAIL, several + b"RCPT TO:<0@example.net>\r\n", DATA, CONTENT)
    assert session.codes == [250, 250, 250, 250, 452, 250, 354, 250]
    assert len(session.messages[0].recipients) == 3


def test_a_size_that_is_too_large_is_refused_before_it_comes() -> None:
    session = logged_in(b"MAIL FROM:<anna@example.com> SIZE=1001\r\n")
    assert session.said == [replies.TOO_LARGE.filled(size=1_000)]
    assert logged_in(b"MAIL FROM:<anna@example.com> SIZE=1000\r\n").codes == [250]


def test_a_message_that_is_too_large_is_refused_and_the_session_goes_on() -> None:
    large = b"x" * 998 + b"\r\n" + b"y\r\n.\r\n"
    session = logged_in(MAIL, RCPT, DATA, large + MAIL + RCPT + DATA, CONTENT)
    assert session.codes == [250, 250, 354, 552, 250, 250, 354, 250]
    assert len(session.messages) == 1


def test_a_message_without_end_ends_the_session() -> None:
    session = logged_in(MAIL, RCPT, DATA, (b"x" * 98 + b"\r\n") * 700)
    assert session.codes[3:] == [552]
    assert session.over


def test_a_message_that_found_no_room_is_refused_for_now() -> None:
    session = logged_in(MAIL, RCPT, DATA, b"x\r\n")
    assert session.session.held
    session.session.drop_message()
    assert not session.session.held
    assert session.feed(b"y\r\n.\r\nNOOP\r\n") == [452, 250]


def test_many_errors_end_the_session() -> None:
    session = led(b"FOO\r\n" * 10)
    assert session.codes == [500] * LIMITS.errors + [421]
    assert session.over


def test_errors_between_messages_that_are_accepted_do_not_end_the_session() -> None:
    session = logged_in()
    for _ in range(2 * LIMITS.errors):
        assert session.feed(MAIL + b"RCPT TO:<none>\r\n" + RCPT + DATA) == [250, 501, 250, 354]
        assert session.feed(CONTENT) == [250]
    assert session.feed(b"FOO\r\n" * 10) == [500] * LIMITS.errors + [421]


def test_dsn_and_utf8_parameters_come_through() -> None:
    session = logged_in(
        "MAIL FROM:<jörg@example.com> SMTPUTF8 RET=HDRS ENVID=q1\r\n".encode(),
        "RCPT TO:<änne@example.net> NOTIFY=NEVER\r\n".encode(),
        DATA,
        CONTENT,
    )
    (message,) = session.messages
    asked = message.mail.parameters
    assert (asked.smtputf8, asked.ret, asked.envelope_id) == (True, Return.HEADERS, "q1")
    (dsn,) = message.recipients.values()
    assert dsn.notify == frozenset({Notify.NEVER})
    # What MAIL asked for does not outlast its message.
    assert session.feed(MAIL + "RCPT TO:<änne@example.net>\r\n".encode()) == [250, 553]


def test_no_reply_shows_the_key() -> None:
    wrong = plain("c4nary")
    session = led(EHLO + wrong + b"AUTH PLAIN c4nary\r\nc4nary\r\nMAIL FROM:<c4nary>\r\n")
    assert b"c4nary" not in session.octets
    assert KEY.encode() not in led(EHLO + plain()).octets


def test_limits_are_what_the_documents_say() -> None:
    limits = Limits()
    assert (limits.command_seconds, limits.login_seconds, limits.idle_seconds) == (10, 30, 300)
    assert (limits.sessions, limits.strangers, limits.errors) == (1_000, 100, 20)
