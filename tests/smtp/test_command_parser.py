"""Commands as clients write them, and as they should not."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.address import parse_address
from smarthost.mail.dsn import Notify, RecipientDsn, Return
from smarthost.smtp.command_parser import (
    Auth,
    Command,
    CommandError,
    Ehlo,
    Fault,
    Helo,
    Mail,
    Plain,
    Rcpt,
    parse_command,
)
from smarthost.smtp.parameters import NO_PARAMETERS, Body, MailParameters

ANNA = parse_address("anna@example.com")
CONTROLS = [chr(code) for code in (*range(32), 0x7F, 0x85, 0x2028, 0x2029, 0x200B, 0x202E)]


def parse(line: str, *, smtputf8: bool = False) -> Command:
    return parse_command(line.encode(), smtputf8=smtputf8)


def fault(line: str | bytes, *, smtputf8: bool = False) -> Fault:
    octets = line if isinstance(line, bytes) else line.encode()
    with pytest.raises(CommandError) as raised:
        parse_command(octets, smtputf8=smtputf8)
    return raised.value.fault


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("EHLO mail.example.com", Ehlo(name="mail.example.com")),
        ("ehlo [192.0.2.1]", Ehlo(name="[192.0.2.1]")),
        ("EHLO [IPv6:2001:db8::1]", Ehlo(name="[IPv6:2001:db8::1]")),
        ("HELO my_host ", Helo(name="my_host")),
        ("MAIL FROM:<>", Mail(path=None, parameters=NO_PARAMETERS)),
        ("mail from:<anna@example.com>", Mail(path=ANNA, parameters=NO_PARAMETERS)),
        ("MAIL FROM: <anna@example.com>", Mail(path=ANNA, parameters=NO_PARAMETERS)),
        (
            "MAIL FROM:<anna@example.com> AUTH=<>",
            Mail(path=ANNA, parameters=NO_PARAMETERS),
        ),
        (
            "MAIL FROM:<anna@example.com> size=12 BODY=8bitmime AUTH=b+40x ret=hdrs ENVID=QQ+2B",
            Mail(
                path=ANNA,
                parameters=MailParameters(
                    size=12, body=Body.EIGHT_BIT_MIME, ret=Return.HEADERS, envelope_id="QQ+"
                ),
            ),
        ),
        (
            "RCPT TO:<Anna@EXAMPLE.com>",
            Rcpt(path=parse_address("Anna@example.com"), dsn=RecipientDsn()),
        ),
        (
            "RCPT TO:<anna@example.com> NOTIFY=success,Failure ORCPT=rfc822;a+2Bb@example.com",
            Rcpt(
                path=ANNA,
                dsn=RecipientDsn(
                    notify=frozenset({Notify.SUCCESS, Notify.FAILURE}),
                    original_recipient="rfc822;a+b@example.com",
                ),
            ),
        ),
        ("DATA", Plain.DATA),
        ("noop anything", Plain.NOOP),
        ("HELP MAIL", Plain.HELP),
        ("VRFY anna", Plain.VRFY),
        ("StartTls", Plain.STARTTLS),
        ("AUTH plain", Auth(mechanism="PLAIN", initial=None)),
        ("AUTH LOGIN =", Auth(mechanism="LOGIN", initial="=")),
        ("AUTH X-FOO_1 YWJj", Auth(mechanism="X-FOO_1", initial="YWJj")),
    ],
)
def test_commands(line: str, command: Command) -> None:
    assert parse(line) == command


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", Fault.UNKNOWN),
        ("GET / HTTP/1.1", Fault.UNKNOWN),
        ("MAILFROM:<a@example.com>", Fault.UNKNOWN),
        ("BDAT 10 LAST", Fault.NOT_OFFERED),
        ("EXPN list", Fault.NOT_OFFERED),
        ("EHLO", Fault.SYNTAX),
        ("EHLO two words", Fault.SYNTAX),
        ("EHLO bücher.example", Fault.SYNTAX),
        ("EHLO <x>", Fault.SYNTAX),
        ("EHLO " + "x" * 256, Fault.SYNTAX),
        ("DATA now", Fault.SYNTAX),
        ("QUIT now", Fault.SYNTAX),
        ("STARTTLS x", Fault.SYNTAX),
        ("MAIL", Fault.SYNTAX),
        ("MAIL FROM", Fault.SYNTAX),
        ("MAIL FROM:", Fault.SYNTAX),
        ("MAIL FROM:anna@example.com", Fault.SYNTAX),
        ("MAIL TO:<anna@example.com>", Fault.SYNTAX),
        ("MAIL FROM:<anna@example.com", Fault.SYNTAX),
        ("MAIL FROM:<anna@example.com>SIZE=1", Fault.SYNTAX),
        ("RCPT FROM:<anna@example.com>", Fault.SYNTAX),
        ("RCPT TO:<>", Fault.FORWARD_PATH),
        ("RCPT TO:<anna>", Fault.FORWARD_PATH),
        ("RCPT TO:< anna@example.com>", Fault.FORWARD_PATH),
        ("RCPT TO:<<anna@example.com>>", Fault.SYNTAX),
        ("RCPT TO:<@relay.example:anna@example.com>", Fault.FORWARD_PATH),
        ("MAIL FROM:<@relay.example:anna@example.com>", Fault.REVERSE_PATH),
        ('RCPT TO:<"anna@example.org"@example.com@relay>', Fault.FORWARD_PATH),
        ("RCPT TO:<anna@example.com,bob@example.com>", Fault.FORWARD_PATH),
        ("RCPT TO:<Postmaster>", Fault.POSTMASTER),
        ("RCPT TO:<postmaster>", Fault.POSTMASTER),
        ("MAIL FROM:<jörg@example.com>", Fault.UTF8_NOT_ASKED),
        ("MAIL FROM:<a@bücher.example>", Fault.UTF8_NOT_ASKED),
        ("MAIL FROM:<a@example.com> FOO=1 BAR", Fault.UNKNOWN_PARAMETER),
        ("MAIL FROM:<a@example.com> NOTIFY=NEVER", Fault.UNKNOWN_PARAMETER),
        ("MAIL FROM:<a@example.com> AUTH=a=b", Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> SIZE", Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> SIZE=-1", Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> SIZE=" + "1" * 21, Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> SIZE=1 SIZE=1", Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> BODY=BINARYMIME", Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> SMTPUTF8=1", Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> RET=ALL", Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> ENVID=", Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> ENVID=" + "x" * 101, Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> ENVID=a+0D+0Ab", Fault.PARAMETER),
        ("MAIL FROM:<a@example.com> ENVID=a+C3+A4", Fault.PARAMETER),
        ("RCPT TO:<a@example.com> NOTIFY=NEVER,DELAY", Fault.PARAMETER),
        ("RCPT TO:<a@example.com> NOTIFY=DELAY,DELAY", Fault.PARAMETER),
        ("RCPT TO:<a@example.com> NOTIFY=", Fault.PARAMETER),
        ("RCPT TO:<a@example.com> ORCPT=anna@example.com", Fault.PARAMETER),
        ("RCPT TO:<a@example.com> ORCPT=rfc822;", Fault.PARAMETER),
        ("RCPT TO:<a@example.com> ORCPT=rfc822;a+0A", Fault.PARAMETER),
        ("RCPT TO:<a@example.com> ORCPT=rfc822;" + "x" * 500, Fault.PARAMETER),
        ("RCPT TO:<a@example.com> SIZE=1", Fault.UNKNOWN_PARAMETER),
        ("AUTH", Fault.SYNTAX),
        ("AUTH PLAIN not*base64", Fault.SYNTAX),
        ("AUTH PLAIN YWJj YWJj", Fault.SYNTAX),
        (b"MAIL FROM:<\xff@example.com> SMTPUTF8", Fault.UNREADABLE),
    ],
)
def test_what_is_wrong_is_told(line: str | bytes, expected: Fault) -> None:
    assert fault(line) is expected


def test_every_wrong_parameter_is_named_at_once() -> None:
    with pytest.raises(CommandError) as raised:
        parse("MAIL FROM:<a@example.com> SIZE=x RET=y FOO=z")
    assert len(raised.value.words) == 3
    assert all(map(str.__contains__, raised.value.words, ("SIZE", "RET", "FOO")))


def test_addresses_beyond_ascii_come_with_smtputf8() -> None:
    mail = parse("MAIL FROM:<jörg@bücher.example> SMTPUTF8 BODY=8BITMIME")
    assert isinstance(mail, Mail)
    assert str(mail.path) == "jörg@xn--bcher-kva.example"
    assert mail.parameters.smtputf8
    rcpt = parse("RCPT TO:<anna@bücher.example>", smtputf8=True)
    assert isinstance(rcpt, Rcpt)
    assert fault("RCPT TO:<anna@bücher.example>") is Fault.UTF8_NOT_ASKED


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: f"U+{ord(control):04X}")
@pytest.mark.parametrize(
    "line",
    [
        "EHLO mail{}example.com",
        "MAIL FROM:<an{}na@example.com> SMTPUTF8",
        "MAIL FROM:<anna@exam{}ple.com> SMTPUTF8",
        'MAIL FROM:<"an{}na"@example.com> SMTPUTF8',
        "MAIL FROM:<anna@example.com> SIZE={}1",
        "MAIL FROM:<anna@example.com> ENVID=a{}b",
        "RCPT TO:<an{}na@example.com>",
        "RCPT TO:<anna@example.com> ORCPT=rfc822;a{}b",
        "AUTH PLAIN AH{}gA",
        "NO{}OP",
    ],
)
def test_a_control_or_invisible_character_is_in_no_command(line: str, control: str) -> None:
    fault(line.format(control), smtputf8=True)


def test_it_does_not_take_long_to_refuse_what_is_long() -> None:
    for piece, verb in itertools.product(('"', "a.", "\\", "@", "+41", "xn--"), ("MAIL", "RCPT")):
        word = "FROM" if verb == "MAIL" else "TO"
        fault(f"{verb} {word}:<{piece * 500}>")
        fault(f"{verb} {word}:<a@example.com> ORCPT=x;{piece * 500} ENVID={piece * 500}")


@given(st.text(), st.booleans())
def test_nothing_that_is_parsed_or_told_has_a_line_end_in_it(text: str, smtputf8: bool) -> None:
    for line in (text, f"MAIL FROM:<{text}>", f"RCPT TO:<{text}>", f"EHLO {text}"):
        try:
            found = repr(parse(line.encode(errors="replace").decode(), smtputf8=smtputf8))
        except CommandError as error:
            found = str(error)
        assert found.isprintable()
