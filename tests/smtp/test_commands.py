"""Commands on the wire, and the last check before it."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.address import AddressError, parse_address
from smarthost.mail.dsn import Notify, Return
from smarthost.smtp import commands

CONTROLS = [chr(code) for code in [*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029]]


def test_the_commands_are_what_the_rfcs_say() -> None:
    assert commands.ehlo("mail.example.com") == b"EHLO mail.example.com\r\n"
    assert commands.ehlo("[IPv6:2001:db8::1]") == b"EHLO [IPv6:2001:db8::1]\r\n"
    assert commands.mail_from("a@example.com") == b"MAIL FROM:<a@example.com>\r\n"
    assert commands.mail_from("") == b"MAIL FROM:<>\r\n"
    assert commands.rcpt_to("a@example.com") == b"RCPT TO:<a@example.com>\r\n"
    assert commands.auth("LOGIN") == b"AUTH LOGIN\r\n"
    assert commands.auth("PLAIN", b"\0a\0b") == b"AUTH PLAIN AGEAYg==\r\n"
    assert commands.auth("EXTERNAL", b"") == b"AUTH EXTERNAL =\r\n"
    assert commands.auth_response(b"abc") == b"YWJj\r\n"
    assert commands.auth_response(b"") == b"\r\n"


def test_mail_from_says_what_the_message_needs() -> None:
    line = commands.mail_from("ä@example.com", size=12, utf8=True, eight_bit=True)
    assert line == "MAIL FROM:<ä@example.com> SIZE=12 BODY=8BITMIME SMTPUTF8\r\n".encode()


def test_a_quoted_local_part_may_hold_a_blank() -> None:
    assert commands.rcpt_to('"a b"@example.com') == b'RCPT TO:<"a b"@example.com>\r\n'


@pytest.mark.parametrize("char", [*CONTROLS, "<", ">", " ", "\ud800"])
def test_no_address_with_such_a_character_reaches_the_wire(char: str) -> None:
    for place in (f"a{char}b@example.com", f"a@exam{char}ple.com", f"a@example.com{char}"):
        with pytest.raises(ValueError, match="character"):
            commands.rcpt_to(place, utf8=True)
        with pytest.raises(ValueError, match="character"):
            commands.mail_from(place, utf8=True)


@pytest.mark.parametrize("char", [*CONTROLS, "<", ">"])
def test_quotation_marks_let_no_control_character_through(char: str) -> None:
    with pytest.raises(ValueError, match="character"):
        commands.rcpt_to(f'"a{char}"@example.com', utf8=True)


@pytest.mark.parametrize("char", [*CONTROLS, " ", "é"])
def test_no_such_character_gets_into_ehlo(char: str) -> None:
    with pytest.raises(ValueError, match="EHLO"):
        commands.ehlo(f"mail{char}.example.com")


def test_ehlo_has_a_name() -> None:
    with pytest.raises(ValueError, match="EHLO"):
        commands.ehlo("")


@pytest.mark.parametrize("name", ["", "plain", "PLAIN\r\nQUIT", "PLAIN x", "A" * 21])
def test_a_mechanism_has_a_name_of_rfc_4422(name: str) -> None:
    with pytest.raises(ValueError, match="SASL"):
        commands.auth(name)


def test_an_address_beyond_ascii_needs_smtputf8() -> None:
    with pytest.raises(ValueError, match="SMTPUTF8"):
        commands.rcpt_to("ä@example.com")
    with pytest.raises(ValueError, match="SMTPUTF8"):
        commands.mail_from("ä@example.com")


def test_an_address_has_its_limit() -> None:
    assert commands.rcpt_to("a" * 254)
    for path in ("", "a" * 255):
        with pytest.raises(ValueError, match="254"):
            commands.rcpt_to(path)


def test_an_address_is_not_repeated_in_the_fault() -> None:
    with pytest.raises(ValueError, match="character") as caught:
        commands.rcpt_to("someone\r\n@example.com")
    assert "someone" not in str(caught.value)


@given(st.text(max_size=300))
def test_whatever_the_address_it_stays_one_line(path: str) -> None:
    try:
        line = commands.mail_from(path, utf8=True)
    except ValueError:
        return
    assert line.endswith(b" SMTPUTF8\r\n")
    assert line.count(b"\r") == line.count(b"\n") == line.count(b"<") == line.count(b">") == 1


@given(st.text(max_size=60), st.text(max_size=60))
def test_every_address_that_the_parser_takes_is_taken(local_part: str, domain: str) -> None:
    try:
        address = str(parse_address(f"{local_part}@{domain}.example"))
    except AddressError:
        return
    assert commands.rcpt_to(address, utf8=True) == f"RCPT TO:<{address}>\r\n".encode()


@given(st.binary(max_size=2000))
def test_a_response_is_one_line_of_base64(response: bytes) -> None:
    line = commands.auth_response(response)
    assert base64.b64decode(line.removesuffix(b"\r\n"), validate=True) == response


def test_what_a_sender_asks_to_be_told_goes_as_rfc_3461_has_it() -> None:
    line = commands.mail_from("a@example.com", size=9, ret=Return.HEADERS, envelope_id="id 1+2=3")
    assert line == b"MAIL FROM:<a@example.com> SIZE=9 RET=HDRS ENVID=id+201+2B2+3D3\r\n"
    line = commands.rcpt_to(
        "b@example.com",
        notify={Notify.DELAY, Notify.SUCCESS, Notify.FAILURE},
        original_recipient="rfc822;a+b@example.com",
    )
    assert line == (
        b"RCPT TO:<b@example.com> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@example.com\r\n"
    )
    assert commands.rcpt_to("b@example.com", notify={Notify.NEVER}).endswith(b" NOTIFY=NEVER\r\n")


@pytest.mark.parametrize("value", ["utf-8;jörg@example.com", r"utf-8;j\x{F6}rg@example.com"])
def test_an_original_recipient_beyond_ascii_is_written_in_ascii(value: str) -> None:
    line = commands.rcpt_to("b@example.com", original_recipient=value)
    assert line == b"RCPT TO:<b@example.com> ORCPT=utf-8;j\\x{F6}rg@example.com\r\n"


@pytest.mark.parametrize("value", ["", "a\r\nRCPT TO:<x>", "a\0", "ä", "x" * 101, "a\x7f"])
def test_an_envid_that_is_none_is_a_fault(value: str) -> None:
    with pytest.raises(ValueError, match="ENVID"):
        commands.mail_from("a@example.com", envelope_id=value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "rfc822",
        "rfc822;",
        ";a@example.com",
        "rfc 822;a@example.com",
        "rfc822\r\n;a@example.com",
        "rfc822;a\r\nDATA",
        "rfc822;a\0b",
        "utf-8;" + "ä" * 100,
    ],
)
def test_an_orcpt_that_is_none_is_a_fault(value: str) -> None:
    with pytest.raises(ValueError, match="ORCPT"):
        commands.rcpt_to("a@example.com", original_recipient=value)


@given(st.text(max_size=120), st.text(max_size=120))
def test_whatever_is_asked_for_it_stays_one_line(envelope_id: str, original: str) -> None:
    lines = []
    with contextlib.suppress(ValueError):
        lines.append(commands.mail_from("a@example.com", envelope_id=envelope_id))
    with contextlib.suppress(ValueError):
        lines.append(commands.rcpt_to("a@example.com", original_recipient=f"rfc822;{original}"))
    for line in lines:
        assert line.endswith(b"\r\n")
        assert line.isascii()
        assert line[:-2].decode().isprintable()
        assert line.count(b" ") == 2
