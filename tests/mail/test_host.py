"""A relay's host: what is taken and in which spelling, what is refused and with which words."""

import time
from ipaddress import IPv6Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smarthost.mail.host import HostError, parse_host

LONGEST_LABEL = "a" * 63
LONGEST_NAME = ".".join([LONGEST_LABEL, LONGEST_LABEL, LONGEST_LABEL, "a" * 61])

TAKEN = [
    ("mail.example.com", "mail.example.com"),
    ("smtp.example.com.", "smtp.example.com"),
    ("Mail.EXAMPLE.Com", "mail.example.com"),
    ("  mail.example.com", "mail.example.com"),
    ("mail.example.com   ", "mail.example.com"),
    ("localhost", "localhost"),
    ("localhost.", "localhost"),
    ("LOCALHOST", "localhost"),
    ("postfix", "postfix"),
    ("a", "a"),
    ("a.b", "a.b"),
    ("1a", "1a"),
    ("1.a", "1.a"),
    ("123.example.com", "123.example.com"),
    ("163.com", "163.com"),
    ("4ms.example", "4ms.example"),
    ("mail-1.example.com", "mail-1.example.com"),
    ("r3---sn.example.com", "r3---sn.example.com"),
    ("ab--cd.example.com", "ab--cd.example.com"),
    ("my_app_postfix_1", "my_app_postfix_1"),
    ("mail_relay.example.com", "mail_relay.example.com"),
    ("_submission._tcp.example.com", "_submission._tcp.example.com"),
    ("email-smtp.eu-west-1.amazonaws.com", "email-smtp.eu-west-1.amazonaws.com"),
    ("example.0y", "example.0y"),
    ("0x7f.example", "0x7f.example"),
    ("example.0xyz", "example.0xyz"),
    ("deadbeef", "deadbeef"),
    (LONGEST_LABEL, LONGEST_LABEL),
    (LONGEST_NAME, LONGEST_NAME),
    (LONGEST_NAME + ".", LONGEST_NAME),
    # Internationalised names become A-labels, however they are spelled.
    ("bücher.example", "xn--bcher-kva.example"),
    ("BÜCHER.example", "xn--bcher-kva.example"),
    ("bu\u0308cher.example", "xn--bcher-kva.example"),
    ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    ("straße.example", "xn--strae-oqa.example"),
    ("faß.example", "xn--fa-hia.example"),
    ("почта.рф", "xn--80a1acny.xn--p1ai"),
    ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ("例え\u3002テスト", "xn--r8jz45g.xn--zckzah"),
    ("例え\uff0eテスト\u3002", "xn--r8jz45g.xn--zckzah"),
    ("δοκιμή.example", "xn--jxalpdlp.example"),
    ("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv"),
    ("דוגמה.example", "xn--6dbbec0c.example"),
    ("उदाहरण.example", "xn--p1b6ci4b4b3a.example"),
    ("ma\u0456l.example.com", "xn--mal-khd.example.com"),  # Cyrillic i: shown for what it is
    ("\u0440\u0430\u0443\u0440\u0430l.example", "xn--l-7sba6dbr.example"),
    ("\uff4dail.example.com", "mail.example.com"),  # full-width m
    ("mail\uff3f1", "mail_1"),  # full-width underscore
    ("xn--l-7sba6dbr.example", "xn--l-7sba6dbr.example"),
    # IPv4 addresses, in one spelling.
    ("192.0.2.1", "192.0.2.1"),
    (" 192.0.2.1 ", "192.0.2.1"),
    ("192.0.2.1.", "192.0.2.1"),
    ("127.0.0.1", "127.0.0.1"),
    ("0.0.0.0", "0.0.0.0"),
    ("255.255.255.255", "255.255.255.255"),
    ("169.254.169.254", "169.254.169.254"),
    ("\uff11\uff12\uff17.0.0.1", "127.0.0.1"),  # full-width digits
    ("\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "127.0.0.1"),  # circled digits
    ("10\u30020\u30020\u30021", "10.0.0.1"),
    # IPv6 addresses, as RFC 5952 writes them.
    ("2001:db8::1", "2001:db8::1"),
    ("[2001:db8::1]", "2001:db8::1"),
    ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    ("[2001:0db8:0000:0000:0000:0000:0000:0001]", "2001:db8::1"),
    ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
    ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
    ("::1", "::1"),
    ("[::1]", "::1"),
    ("::", "::"),
    ("fe80::1", "fe80::1"),
    ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
    ("::192.0.2.1", "::c000:201"),
]

MISSING = ["", " ", "      "]

NUMBERS = [
    "127.1",
    "127.0.1",
    "0",
    "1",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0X7F000001",
    "0x7f.1",
    "0x7f.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "127.0.0.0x1",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.0.0.01",
    "127.00.0.1",
    "192.168.010.1",
    "256.0.0.1",
    "1.2.3.256",
    "999.999.999.999",
    "1.2.3.4.5",
    "1.2.3",
    "1.2",
    "4294967296",
    "99999999999999999999",
    "127.0.0.1000",
    "mail.example.123",
    "example.0x1f",
    "example.0x",
    "0x",
    "0x.0x.0x.0x",
    "\uff10x7f.1",
    "\u2460\u2461\u2466.\u2460",
    "1.2.3.4.example.5",
]

IPV6_FAULTS = [
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "[::ffff:169.254.169.254]",
    "0:0:0:0:0:ffff:a00:1",
    "fe80::1%eth0",
    "[fe80::1%25eth0]",
    "::1%1",
    "[2001:db8::1",
    "2001:db8::1]",
    "[[2001:db8::1]]",
    "[]",
    "[:]",
    ":::",
    "[mail.example.com]",
    "[192.0.2.1]",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "2001:db8::1::2",
    "2001:db8::g",
    "2001:db8::12345",
    "::1.2.3",
    "::1.2.3.256",
    "::01.2.3.4",
    "2001:db8:\uff11::1",
    "mail.example.com::587",
    "mail.example.com:587:587",
    "[IPv6:2001:db8::1]",
]

NAME_FAULTS = [
    ".",
    "..",
    "...",
    ".example.com",
    "mail..example.com",
    "mail.example.com..",
    "-mail.example.com",
    "mail-.example.com",
    "mail.-example.com",
    "-",
    "--",
    "a.-",
    "*.example.com",
    "*",
    "mail!.example.com",
    "mail$.example.com",
    "${SMTP_HOST}",
    "$SMTP_HOST",
    "%SMTP_HOST%",
    "{{ host }}",
    "mail%2eexample.com",
    "mail'example.com",
    '"mail.example.com"',
    "'mail.example.com'",
    "`id`.example.com",
    "mail(1).example.com",
    "mail+1.example.com",
    "mail=1.example.com",
    "mail~1.example.com",
    "mail|id",
    "<mail.example.com>",
    "mail&1",
    "mail^1",
    "a" * 64,
    "a" * 64 + ".example",
    LONGEST_NAME + "a",
    LONGEST_NAME + ".a",
    "ä" * 60,
    "ä" * 64,
    "字" * 63 + ".example",
    ".".join(["字" * 20] * 10),
    "xn--",
    "xn--.example",
    "xn---",
    "xn--a.example",
    "xn--bcher-kva-.example",
    "xn---bbk",
    "xn--ls8h.example",
    "xn--\u00e4",
    "xn--99999999",
    "bücher_1.example",
    "a_ä",
    "\u2615.example",
    "i\u2764.example",
    "\u0301a.example",
    "a\u0660b\u06f0.example",
    "\u05d0a.example",
    "-ä.example",
    "ä-.example",
    "äb--c.example",
    "mail\uff0fexample.com",
    "mail\uff1a587",
    "user\uff20example.com",
    "a\u2100b.example",
    "\u2488example",
    "example\u2025com",
    "mail\ufffd.example",
    "mail\u2024example.com",
]

HIDDEN = [
    "mail.example.com\n",
    "\nmail.example.com",
    "mail.example.com\r\n",
    "mail.example.com\r\nRCPT TO:<x@example.com>",
    "\tmail.example.com",
    "mail\texample.com",
    "mail.example.com\0",
    "\0",
    "mail\x1b[31m.example.com",
    "mail\x7f.example.com",
    "mail\x85.example.com",
    "mail\x9b.example.com",
    "mail\xa0.example.com",
    "\xa0mail.example.com",
    "\u3000mail.example.com",
    "mail\xad.example.com",
    "mail\u034f.example.com",
    "mail\u115f.example.com",
    "mail\u180e.example.com",
    "mail\u2000.example.com",
    "mail\u200b.example.com",
    "mail\u200c.example.com",
    "mail\u200d.example.com",
    "mail\u200e.example.com",
    "mail\u200f.example.com",
    "mail\u2028.example.com",
    "mail\u2029.example.com",
    "mail\u202a.example.com",
    "mail\u202e.example.com",
    "mail\u2060.example.com",
    "mail\u2066.example.com",
    "mail\u2069.example.com",
    "mail\u2800.example.com",
    "mail\u3164.example.com",
    "mail\ufe0f.example.com",
    "\ufeffmail.example.com",
    "mail\uffa0.example.com",
    "mail\ufff9.example.com",
    "mail\uffff.example.com",
    "mail\ud800.example.com",
    "mail\ue000.example.com",
    "mail\U000e0001.example.com",
    "mail\U000e0100.example.com",
    "mail\U0010ffff.example.com",
]

PASTED = [
    (
        "mail.example.com:587",
        "Type only the host name, mail.example.com, here, and 587 in the port field.",
    ),
    (
        "mail.example.com 587",
        "Type only the host name, mail.example.com, here, and 587 in the port field.",
    ),
    (
        "smtp://mail.example.com:587/",
        (
            "This is a URL. Type only the host name, mail.example.com, here, "
            "and 587 in the port field."
        ),
    ),
    (
        "smtps://Mail.Example.com",
        "This is a URL. Type only the host name, mail.example.com, here.",
    ),
    (
        "https://mail.example.com/owa?x=1#y",
        "This is a URL. Type only the host name, mail.example.com, here.",
    ),
    (
        "ssl://smtp.example.com:465",
        (
            "This is a URL. Type only the host name, smtp.example.com, here, "
            "and 465 in the port field."
        ),
    ),
    (
        "smtp://user:hunter2@mail.example.com:587",
        (
            "This is a URL. Type only the host name, mail.example.com, here, "
            "and 587 in the port field, and the user name in the user name field."
        ),
    ),
    (
        "user@mail.example.com",
        (
            "This contains an @. Type only the host name, mail.example.com, here, "
            "and the user name in the user name field."
        ),
    ),
    (
        "mail.example.com/path",
        "This contains a path. Type only the host name, mail.example.com, here.",
    ),
    (
        "mail.example.com\\share",
        "This contains a path. Type only the host name, mail.example.com, here.",
    ),
    (
        "//mail.example.com",
        "This contains a path. Type only the host name, mail.example.com, here.",
    ),
    ("192.0.2.0/24", "This contains a path. Type only the host name, 192.0.2.0, here."),
    ("192.0.2.1:25", "Type only the host name, 192.0.2.1, here, and 25 in the port field."),
    ("[2001:db8::1]:25", "Type only the host name, 2001:db8::1, here, and 25 in the port field."),
    (
        "smtp://[2001:db8::1]:25/",
        "This is a URL. Type only the host name, 2001:db8::1, here, and 25 in the port field.",
    ),
    ("2001:db8::/32", "This contains a path. Type only the host name, 2001:db8::, here."),
    (
        "bücher.example:25",
        "Type only the host name, xn--bcher-kva.example, here, and 25 in the port field.",
    ),
    ("mail.example.com:", "Type only the host name, mail.example.com, here."),
    ("mail.example.com:smtp", "Type only the host name here, and the port in the port field."),
    ("mail.example.com:0", "Type only the host name here, and the port in the port field."),
    ("mail.example.com:65536", "Type only the host name here, and the port in the port field."),
    ("smtp:mail.example.com", "Type only the host name here, and the port in the port field."),
    (":25", "Type only the host name here, and the port in the port field."),
    ("0x7f.1:25", "Type only the host name here, and the port in the port field."),
    ("a" * 61 + ":25", "Type only the host name here, and the port in the port field."),
    ("https://", "This is a URL. Type only the host name here."),
    ("://", "This is a URL. Type only the host name here."),
    ("/", "This contains a path. Type only the host name here."),
    ("\\\\", "This contains a path. Type only the host name here."),
    (
        "mail.example.com?x",
        "This contains a path. Type only the host name, mail.example.com, here.",
    ),
    (
        "mail.example.com#x",
        "This contains a path. Type only the host name, mail.example.com, here.",
    ),
    ("a.example, b.example", "Only one host goes here. Type one host name, without commas."),
    ("a.example;b.example", "Only one host goes here. Type one host name, without commas."),
    ("mail.example.com,", "Only one host goes here. Type one host name, without commas."),
    ("mail .example.com", "A host name has no blanks in it. Type only the host name."),
    ("mail.example.com 587 tls", "A host name has no blanks in it. Type only the host name."),
]

REFUSED = MISSING + NUMBERS + IPV6_FAULTS + NAME_FAULTS + HIDDEN + [text for text, _ in PASTED]


def test_the_tables_are_large() -> None:
    assert len(TAKEN) + len(REFUSED) >= 150
    assert len(set(REFUSED)) == len(REFUSED)


@pytest.mark.parametrize(("text", "host"), TAKEN)
def test_a_host_is_taken_in_one_spelling(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize("text", REFUSED)
def test_an_odd_host_is_refused_in_a_printable_sentence(text: str) -> None:
    with pytest.raises(HostError) as caught:
        parse_host(text)
    message = str(caught.value)
    assert message.isprintable()
    assert message.endswith(".")
    assert len(message) < 240
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("text", "message"), PASTED)
def test_a_pasted_text_is_explained(text: str, message: str) -> None:
    with pytest.raises(HostError) as caught:
        parse_host(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", MISSING)
def test_an_empty_host_has_a_message_of_its_own(text: str) -> None:
    with pytest.raises(HostError, match=r"^Type the host name of the mail server"):
        parse_host(text)


@pytest.mark.parametrize("text", NUMBERS)
def test_another_spelling_of_an_ipv4_address_is_refused(text: str) -> None:
    with pytest.raises(HostError, match="four decimal numbers from 0 to 255"):
        parse_host(text)


@pytest.mark.parametrize("text", HIDDEN)
def test_a_character_that_does_not_show_is_refused_by_its_number(text: str) -> None:
    with pytest.raises(HostError, match=r"control or invisible character \(U\+[0-9A-F]{4,6}\)"):
        parse_host(text)


def test_an_ipv4_address_in_ipv6_form_is_answered_with_its_ipv4_form() -> None:
    with pytest.raises(HostError, match=r"IPv4 form, 127\.0\.0\.1\."):
        parse_host("::ffff:7f00:1")


@pytest.mark.parametrize(
    "text",
    [
        "smtp://user:hunter2@mail.example.com",
        "smtp://user:p@hunter2@mail.example.com",
        "smtp://user:p@hunter2/w@mail.example.com",
        "smtp://user:hunter2/x@mail.example.com",
        "smtp://user:hunter2?@mail.example.com",
        "smtp://user:1/hunter2@mail.example.com",
        "smtp://user:x://hunter2/@mail.example.com",
        "user:hunter2@mail.example.com:587",
        "user@example.com:hunter2@mail.example.com",
        "user:hunter2",
        "smtp://user:hunter2",
        "hunter2@",
    ],
)
def test_a_password_in_a_pasted_url_is_not_repeated(text: str) -> None:
    with pytest.raises(HostError) as caught:
        parse_host(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["a" * 256, " " * 256, "a" * 10_000_000, "a." * 5_000_000, "ä" * 10_000_000, "@" * 10_000_000],
    ids=["256", "256 blanks", "10 MB", "labels", "non-ASCII", "at signs"],
)
def test_a_text_that_is_too_long_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(HostError, match="at most 255 characters"):
        parse_host(text)
    assert time.process_time() - start < 0.05


@pytest.mark.parametrize(
    "text",
    ["\u0300" * 255, "\ufdfa" * 255, "क\u200d" * 127, "xn--" + "9" * 251, ":" * 255, "·" * 63],
    ids=["marks", "expanding", "joiners", "punycode", "colons", "context"],
)
def test_the_worst_text_that_fits_is_answered_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(HostError):
        parse_host(text)
    assert time.process_time() - start < 0.05


HOST_PIECES = st.lists(
    st.sampled_from(
        [
            *".-_:/@[]%? ,\\#",
            "xn--",
            "://",
            "0x",
            "127",
            "1",
            "0",
            "ffff",
            "::",
            "mail",
            "example",
            "ü",
            "ß",
            "例",
            "\u3002",
            "\u200b",
            "\u0301",
            "\r\n",
            "bcher-kva",
            "\u0410",
            "\u05d0",
        ]
    ),
    max_size=12,
).map("".join)


@settings(deadline=None, max_examples=500)
@given(st.one_of(st.text(max_size=260), HOST_PIECES, HOST_PIECES.map("xn--".__add__)))
def test_any_text_is_one_host_or_one_clean_refusal(text: str) -> None:
    host = refusal = ""
    try:
        host = parse_host(text)
    except HostError as error:
        refusal = str(error)
    assert refusal.isprintable()
    if refusal:
        return
    assert host.isascii()
    assert host.isprintable()
    assert 0 < len(host) <= 253
    assert not set(host) & set(" <>@/\\[]%?#,;\"'")
    assert parse_host(host) == host
    assert parse_host(f"  {host} ") == host


@given(st.ip_addresses(v=4).map(str))
def test_every_ipv4_address_is_kept(address: str) -> None:
    assert parse_host(address) == address


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_every_spelling_of_an_ipv6_address_is_one_host(address: IPv6Address) -> None:
    if address.ipv4_mapped is None:
        assert parse_host(f"[{address.exploded.upper()}]") == str(address)
        assert parse_host(str(address)) == str(address)
