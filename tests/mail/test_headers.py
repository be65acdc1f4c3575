"""Headers: two readers find what was asked for, and nothing becomes a header of its own."""

import email.header
import email.utils
import time
from email import policy
from email.headerregistry import AddressHeader, BaseHeader
from email.message import EmailMessage
from email.parser import Parser
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smarthost.mail.address import Address, parse_address
from smarthost.mail.address_list import Group
from smarthost.mail.header_reader import HeaderError, read_headers
from smarthost.mail.headers import (
    Header,
    MailboxHeader,
    PlainHeader,
    TextHeader,
    header_block,
)
from smarthost.mail.mailbox import Mailbox
from tests.mail.injections import REFUSED, TAKEN

ANN = parse_address("ann@example.com")
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=300)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300)
NAME = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"),
    min_size=1,
    max_size=76,
)
ADDRESSES = [
    "ann@example.com",
    '"ann smith"@example.com',
    '"a@b, \\"c\\" (d)"@example.com',
    "a@[192.0.2.1]",
    "a@[IPv6:2001:db8::1]",
    "jörg@example.com",
    "用户@例え.テスト",
    "l" * 64 + "@" + ".".join(["d" * 63, "d" * 63, "d" * 61]),
]


def mailbox_header(
    name: str, address: Address = ANN, display_name: str | None = None
) -> MailboxHeader:
    return MailboxHeader(
        name=name, mailboxes=(Mailbox(address=address, display_name=display_name),)
    )


def parsed(block: bytes) -> EmailMessage:
    return Parser(EmailMessage, policy=policy.SMTPUTF8).parsestr(f"{block.decode()}\r\n")


def text_of(header: object) -> str:
    return str(header).strip(" ")


def mailbox_of(block: bytes, name: str) -> tuple[str, str]:
    """Read with both parsers of the standard library: they share no code for this.

    The display name is the older one's: the newer keeps blanks between two encoded words in it.
    """
    header = cast("AddressHeader", parsed(block)[name])
    assert len(header.addresses) == 1
    text = str(Parser(policy=policy.compat32).parsestr(block.decode())[name])
    [(phrase, _)] = email.utils.getaddresses([text])
    display_name = str(email.header.make_header(email.header.decode_header(phrase)))
    return display_name, header.addresses[0].addr_spec


@given(TEXT | ASCII)
def test_a_text_reads_as_it_was_given(text: str) -> None:
    block = header_block([TextHeader(name="Subject", text=text)])
    assert text_of(parsed(block)["Subject"]) == text.strip(" ")


@pytest.mark.parametrize("text", TAKEN)
def test_a_text_that_looks_like_an_injection_stays_a_text(text: str) -> None:
    block = header_block(
        [TextHeader(name="Subject", text=text), TextHeader(name="X-After", text="after")]
    )
    message = parsed(block)
    assert message.keys() == ["Subject", "X-After"]
    assert message["X-After"] == "after"
    assert text_of(message["Subject"]) == text.strip(" ")
    assert not cast("BaseHeader", message["Subject"]).defects


@pytest.mark.parametrize("text", TAKEN)
def test_a_display_name_that_looks_like_an_injection_stays_a_name(text: str) -> None:
    block = header_block(
        [
            mailbox_header(name="From", address=ANN, display_name=text),
            TextHeader(name="X-After", text="after"),
        ]
    )
    message = parsed(block)
    assert message.keys() == ["From", "X-After"]
    name, address = mailbox_of(block, "From")
    assert (name.strip(" "), address) == (text.strip(" "), "ann@example.com")


@pytest.mark.parametrize("text", REFUSED)
def test_a_text_with_control_characters_is_refused(text: str) -> None:
    with pytest.raises(HeaderError, match="Subject has the character U\\+"):
        header_block([TextHeader(name="Subject", text=text)])


@pytest.mark.parametrize("text", REFUSED)
def test_a_display_name_with_control_characters_is_refused(text: str) -> None:
    with pytest.raises(HeaderError, match="From has the character U\\+"):
        header_block([mailbox_header(name="From", address=ANN, display_name=text)])


@pytest.mark.parametrize("value", [*REFUSED, "ä", "\u200b", ""])
def test_a_plain_value_is_printable_ascii(value: str) -> None:
    with pytest.raises(HeaderError, match="X-Plain"):
        header_block([PlainHeader(name="X-Plain", value=value or "\n")])


@pytest.mark.parametrize("value", [" a", "a ", " "])
def test_a_plain_value_that_would_lose_its_blanks_is_refused(value: str) -> None:
    with pytest.raises(HeaderError, match="X-Plain cannot be written"):
        header_block([PlainHeader(name="X-Plain", value=value)])


def test_a_plain_value_that_is_too_long_to_be_folded_is_refused() -> None:
    with pytest.raises(HeaderError, match="longer than 998"):
        header_block([PlainHeader(name="X-Plain", value="x" * 1000)])


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a:", ":", "a\r\nBcc", "a\nBcc", "a\0", "ä", " a", "a\t", "\x7f", "x" * 77],
)
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(HeaderError, match="A header's name"):
        header_block([TextHeader(name=name, text="x")])


@given(NAME, TEXT | ASCII)
@example("X" * 76, "ä")
@example("X" * 76, "word")
def test_any_name_and_any_text_are_written_in_short_lines(name: str, text: str) -> None:
    block = header_block([TextHeader(name=name, text=text)])
    assert block.isascii()
    for line in block.split(b"\r\n"):
        # Only a single word, which cannot be folded, is longer.
        assert len(line) <= 76 or b" " not in line.strip(b" ")
        assert len(line) <= 998


@given(TEXT | ASCII, st.sampled_from(ADDRESSES))
def test_a_mailbox_reads_as_it_was_given(display_name: str, address_text: str) -> None:
    address = parse_address(address_text)
    block = header_block([mailbox_header(name="To", address=address, display_name=display_name)])
    name, read = mailbox_of(block, "To")
    assert name.strip(" ") == display_name.strip(" ")
    assert parse_address(read) == address


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_never_parted_or_encoded(address: str) -> None:
    mailbox = parse_address(address)
    for display_name in (None, "", "Ann", "Jörg " * 20):
        block = header_block(
            [mailbox_header(name="To", address=mailbox, display_name=display_name)]
        )
        assert str(mailbox).encode() in block
        assert all(len(line) <= 998 for line in block.split(b"\r\n"))


@pytest.mark.parametrize(
    ("header", "block"),
    [
        (TextHeader(name="Subject", text="Hello"), b"Subject: Hello\r\n"),
        (TextHeader(name="Subject", text=""), b"Subject:\r\n"),
        (
            TextHeader(name="Subject", text="Ein Gruß an alle"),
            b"Subject: =?utf-8?q?Ein_Gru=C3=9F_an_alle?=\r\n",
        ),
        (
            TextHeader(name="Subject", text="a" * 60 + " " + "b" * 20),
            b"Subject: " + b"a" * 60 + b"\r\n " + b"b" * 20 + b"\r\n",
        ),
        (mailbox_header(name="From", address=ANN), b"From: ann@example.com\r\n"),
        (
            mailbox_header(name="From", address=ANN, display_name="Ann Smith"),
            b"From: Ann Smith <ann@example.com>\r\n",
        ),
        (
            mailbox_header(name="From", address=ANN, display_name='Dr. "A" \\ Smith'),
            b'From: "Dr. \\"A\\" \\\\ Smith" <ann@example.com>\r\n',
        ),
        (
            mailbox_header(name="From", address=ANN, display_name="Ann Ürü"),
            b"From: =?utf-8?b?QW5uIMOccsO8?= <ann@example.com>\r\n",
        ),
        (
            mailbox_header(name="To", address=parse_address("jörg@example.com")),
            "To: jörg@example.com\r\n".encode(),
        ),
    ],
)
def test_headers_are_written_like_this(header: Header, block: bytes) -> None:
    assert header_block([header]) == block


def test_a_list_of_mailboxes_is_folded_at_blanks() -> None:
    names = [None, "Ann", "Ann B.", 'A "B"', "Grüße an alle von hier", None]
    mailboxes = [Mailbox(address=ANN, display_name=name) for name in names]
    assert header_block([MailboxHeader(name="Cc", mailboxes=mailboxes)]) == (
        b'Cc: ann@example.com, Ann <ann@example.com>, "Ann B." <ann@example.com>,\r\n'
        b' "A \\"B\\"" <ann@example.com>, =?utf-8?q?Gr=C3=BC=C3=9Fe_an_alle_von_hier?=\r\n'
        b" <ann@example.com>, ann@example.com\r\n"
    )


def test_a_group_has_a_colon_and_a_semicolon() -> None:
    groups = [
        Group(name="Nobody", mailboxes=()),
        Group(name="Grüße an", mailboxes=(Mailbox(address=ANN), Mailbox(address=ANN))),
    ]
    assert header_block([MailboxHeader(name="To", mailboxes=groups)]) == (
        b"To: Nobody:;, =?utf-8?b?R3LDvMOfZSBhbg==?= : ann@example.com,\r\n ann@example.com;\r\n"
    )


def test_a_structured_value_begins_beside_its_name() -> None:
    value = "<" + "x" * 80 + "> " + "<" + "y" * 80 + ">"
    assert header_block([PlainHeader(name="References", value=value)]) == (
        b"References: <" + b"x" * 80 + b">\r\n <" + b"y" * 80 + b">\r\n"
    )


def test_headers_keep_their_order() -> None:
    headers = [TextHeader(name=name, text="x") for name in ("B", "A", "C")]
    assert header_block(headers) == b"B: x\r\nA: x\r\nC: x\r\n"
    assert header_block([]) == b""


HEADERS = st.lists(
    st.builds(lambda name, text: TextHeader(name=name, text=text), NAME, TEXT | ASCII)
    | st.builds(
        lambda name, display_name: mailbox_header(name=name, display_name=display_name),
        NAME,
        TEXT | ASCII,
    ),
    max_size=5,
)


@given(HEADERS)
def test_any_headers_are_read_back_by_name_and_in_order(
    headers: list[TextHeader | MailboxHeader],
) -> None:
    read = read_headers(header_block(headers))
    assert [header.name for header in read] == [header.name for header in headers]


@given(HEADERS, st.sampled_from(REFUSED), st.integers(min_value=0, max_value=5))
def test_one_bad_text_refuses_the_whole_block(
    headers: list[TextHeader | MailboxHeader], text: str, at: int
) -> None:
    bad = TextHeader(name="X-Bad", text=text)
    with pytest.raises(HeaderError):
        header_block([*headers[:at], bad, *headers[at:]])


@pytest.mark.parametrize(
    "address",
    [
        Address(local_part="ann\r\nBcc: x", domain="example.com"),
        Address(local_part="ann", domain="example.com\r\nBcc: x@example.org"),
        Address(local_part="ann", domain="example.com\r\n\r\nbody"),
        Address(local_part="ann\n", domain="example.com"),
        Address(local_part="ann\0", domain="example.com"),
        Address(local_part="ann\r\n ", domain="example.com"),
    ],
)
@pytest.mark.parametrize("display_name", [None, "Ann"])
def test_an_address_that_no_parser_has_seen_is_caught_by_the_second_reading(
    address: Address, display_name: str | None
) -> None:
    with pytest.raises(HeaderError):
        header_block([mailbox_header(name="To", address=address, display_name=display_name)])


@pytest.mark.parametrize("text", ["ä", " ", "a ", "=?", '"', "a" * 1000, "=?utf-8?q?a?= "])
def test_time_grows_no_faster_than_the_text(text: str) -> None:
    def seconds(times: int) -> float:
        header = TextHeader(name="Subject", text=text * (times * 100_000 // len(text)))
        begin = time.process_time()
        header_block([header])
        return time.process_time() - begin

    # Eight times the text: about 8 if it is linear, 64 if it is quadratic.
    assert seconds(8) < 24 * max(seconds(1), 0.01)
