"""Mail addresses: what is taken and in which form, what is refused and with which words."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smarthost.mail.address import Address, AddressError, parse_address

LOCAL_64 = "l" * 64
DOMAIN_189 = ".".join(["d" * 63, "d" * 63, "d" * 61])

TAKEN = [
    ("notify@example.com", "notify@example.com"),
    ("  notify@example.com ", "notify@example.com"),
    ("Notify@EXAMPLE.com", "Notify@example.com"),
    ("a@b", "a@b"),
    ("admin@localhost", "admin@localhost"),
    ("root@mailserver1", "root@mailserver1"),
    ("first.last@example.com", "first.last@example.com"),
    ("first+tag@example.com", "first+tag@example.com"),
    ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
    ("o'neil@example.com", "o'neil@example.com"),
    ("user%host@example.com", "user%host@example.com"),
    ("host!user@example.com", "host!user@example.com"),
    ("-@example.com", "-@example.com"),
    ("_@example.com", "_@example.com"),
    ("1@example.com", "1@example.com"),
    ("0123456789@example.com", "0123456789@example.com"),
    ("bounce+u=example.org@example.com", "bounce+u=example.org@example.com"),
    ("a@1.example", "a@1.example"),
    ("a@163.com", "a@163.com"),
    ("a@a-b.example", "a@a-b.example"),
    ("a@ab--cd.example", "a@ab--cd.example"),
    ("a.b.c.d.e@example.com", "a.b.c.d.e@example.com"),
    (f"{LOCAL_64}@example.com", f"{LOCAL_64}@example.com"),
    (f"{LOCAL_64}@{DOMAIN_189}", f"{LOCAL_64}@{DOMAIN_189}"),
    # Quoted local parts lose what they do not need.
    ('"john"@example.com', "john@example.com"),
    ('"john.doe"@example.com', "john.doe@example.com"),
    ('"\\j\\o\\h\\n"@example.com', "john@example.com"),
    ('"john doe"@example.com', '"john doe"@example.com'),
    ('"john\\ doe"@example.com', '"john doe"@example.com'),
    ('" "@example.com', '" "@example.com'),
    ('" a "@example.com', '" a "@example.com'),
    ('"a@b"@example.com', '"a@b"@example.com'),
    ('"a,b"@example.com', '"a,b"@example.com'),
    ('"a;b"@example.com', '"a;b"@example.com'),
    ('"a:b"@example.com', '"a:b"@example.com'),
    ('"a(b)c"@example.com', '"a(b)c"@example.com'),
    ('"a[b]"@example.com', '"a[b]"@example.com'),
    ('"."@example.com', '"."@example.com'),
    ('".a"@example.com', '".a"@example.com'),
    ('"a."@example.com', '"a."@example.com'),
    ('"a..b"@example.com', '"a..b"@example.com'),
    ('"a\\"b"@example.com', '"a\\"b"@example.com'),
    ('"a\\\\b"@example.com', '"a\\\\b"@example.com'),
    ('"\\""@example.com', '"\\""@example.com'),
    ('"\\\\"@example.com', '"\\\\"@example.com'),
    ('"ä ö"@example.com', '"ä ö"@example.com'),
    ('"ä"@example.com', "ä@example.com"),
    ('"mailto:a"@example.com', '"mailto:a"@example.com'),
    ('"' + "\\q" * 64 + '"@example.com', "q" * 64 + "@example.com"),
    ('"@"@[192.0.2.1]', '"@"@[192.0.2.1]'),
    # RFC 6531, and the domain as A-labels.
    ("jörg@example.com", "jörg@example.com"),
    ("jo\u0308rg@example.com", "jörg@example.com"),
    ("用户@例え.テスト", "用户@xn--r8jz45g.xn--zckzah"),
    ("почта@почта.рф", "почта@xn--80a1acny.xn--p1ai"),
    ("δοκιμή@example.com", "δοκιμή@example.com"),
    ("مثال@example.com", "مثال@example.com"),
    ("\U0001f4e7@example.com", "\U0001f4e7@example.com"),
    ("a@bücher.example", "a@xn--bcher-kva.example"),
    ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
    ("a@bu\u0308cher.example", "a@xn--bcher-kva.example"),
    ("a@XN--bcher-KVA.example", "a@xn--bcher-kva.example"),
    ("a@例え\u3002テスト", "a@xn--r8jz45g.xn--zckzah"),
    ("a@\uff45xample.com", "a@example.com"),
    ("a@ex\u0430mple.com", "a@xn--exmple-4nf.com"),  # Cyrillic a: shown for what it is
    ("\u212a@example.com", "K@example.com"),  # the Kelvin sign is a K in form NFC
    ("\u1fefa@example.com", "`a@example.com"),
    ("ä" * 32 + "@example.com", "ä" * 32 + "@example.com"),
    # Address literals.
    ("a@[192.0.2.1]", "a@[192.0.2.1]"),
    ("a@[0.0.0.0]", "a@[0.0.0.0]"),
    ("a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"),
    ("a@[ipv6:2001:DB8:0:0:0:0:0:1]", "a@[IPv6:2001:db8::1]"),
    ("a@[IPV6:::1]", "a@[IPv6:::1]"),
    ("a@[IPv6:::]", "a@[IPv6:::]"),
]

MISSING = ["", " ", "     "]
NO_AT = ["a", "notify", "example.com", "a.b.c", "ä", "notify(at)example.com", "a\uff20b", "a b"]
NO_LOCAL_PART = ["@", "@example.com", "@@", "@[192.0.2.1]", "@a@b", '""@example.com']
NO_DOMAIN = ["a@", "a.b@", '"a b"@']

HABITS = [
    ("mailto:a@example.com", "Leave out mailto: and type the address alone"),
    ("MailTo:a@example.com?subject=x", "Leave out mailto: and type the address alone"),
    (
        "Postman <notify@example.com>",
        (
            "Type the address alone, notify@example.com, without < and >. "
            "The name before it belongs in the display name."
        ),
    ),
    (
        '"Doe, John" <Notify@BÜCHER.example>',
        (
            "Type the address alone, Notify@xn--bcher-kva.example, without < and >. "
            "The name before it belongs in the display name."
        ),
    ),
    ("Postman<a@b>", "Type the address alone, a@b, without < and >. The name before it"),
    ("a@b <a@b>", "Type the address alone, a@b, without < and >. The name before it"),
    ("<notify@example.com>", "Type the address alone, notify@example.com, without < and >."),
    ("notify@example.com>", "Type the address alone, notify@example.com, without < and >."),
    ("<notify@example.com", "Type the address alone, notify@example.com, without < and >."),
    ("<>", "Type the address alone, without < and >."),
    ("<<>>", "Only one address goes here."),
    (f"<{'l' * 60}@x>", "Type the address alone, without < and >."),
    ("Postman <notify>", "Type the address alone, without < and >. The name before it"),
    ('"a<b"@example.com', "Type the address alone"),
    ('"a>b"@example.com', "Type the address alone"),
    ("A <a@x>, B <b@y>", "Only one address goes here."),
    ("a@x, b@y", "Only one address goes here."),
    ("a@x,b@y", "Only one address goes here."),
    ("a@x; b@y", "Only one address goes here."),
    ("a@x b@y", "Only one address goes here."),
    ("a@x,", "Only one address goes here."),
    ("a@x;", "Only one address goes here."),
    ('"a,b"@x, c@y', "Only one address goes here."),
    ("a, b@y", "Only one address goes here."),
    ("friends: a@x, b@y;", 'The part before the @ contains ":"'),
    ("undisclosed-recipients:;", "The address has no @."),
    ("a@x\u037e", "Only one address goes here."),
    ("a@b@c", "The address has more than one @."),
    ("a@@b", "The address has more than one @."),
    ("a@b@", "The address has more than one @."),
]

LOCAL_FAULTS = [
    ".a@example.com",
    "a.@example.com",
    "a..b@example.com",
    ".@example.com",
    "..@example.com",
    "a b@example.com",
    "a @example.com",
    "a(comment)@example.com",
    "(comment)a@example.com",
    "a[b]@example.com",
    "a]@example.com",
    "a:b@example.com",
    "a\\b@example.com",
    "a\\@b@example.com",
    'a"b@example.com',
    'a"b"@example.com',
    'a."b"@example.com',
    "notify,x@example.com",
    "smtp://a@example.com:25",
    "https://example.com/@a",
    '"a"b@example.com',
    '"a".b@example.com',
    '"a" @example.com',
    '"a""b"@example.com',
    '"a',
    '"a@example.com',
    '"a\\"@example.com',
    '"',
    '"\\',
    '"a"',
    '"a\\ä"@example.com',
    f"{LOCAL_64}l@example.com",
    "ä" * 32 + "l@example.com",
    "\U0001f4e7" * 17 + "@example.com",
    '"' + "l" * 62 + ' "@example.com',
    '"' + '\\"' * 32 + '"@example.com',
    "\u0958" * 30 + "@example.com",
]

DOMAIN_FAULTS = [
    "a@.",
    "a@.example",
    "a@example.",
    "a@example.com.",
    "a@example..com",
    "a@-example.com",
    "a@example-.com",
    "a@exa_mple.com",
    "a@exam!ple.com",
    "a@example.com/x",
    "a@example.com:25",
    "a@example.com?subject=x",
    "a@example.com (comment)",
    "a@example.com(comment)",
    "a@(comment)example.com",
    "a@ example.com",
    "a@exam ple.com",
    'a@"example.com"',
    "a@exam\\ple.com",
    "a@*.example.com",
    "a@%65xample.com",
    "a@" + "d" * 64,
    "a@" + "d" * 64 + ".example",
    "a@" + ".".join(["d" * 63] * 4),
    "a@" + "ä" * 60,
    "a@" + ".".join(["字" * 20] * 10),
    "a@xn--",
    "a@xn--a.example",
    "a@xn---bbk",
    "a@xn--99999999",
    "a@\u2615.example",
    "a@\u0301.example",
    "a@\u05d0a.example",
    "a@exam\uff0fple",
    "a@example\uff20b",
    "a@\u2100",
    "a@\u2488b",
    "a@example\u2025com",
    "a@1",
    "a@192.0.2.1",
    "a@127.1",
    "a@0x7f.1",
    "a@0x7f000001",
    "a@2130706433",
    "a@example.123",
    "a@\uff11\uff12\uff17.0.0.1",
    "a@2001:db8::1",
    "a@[",
    "a@]",
    "a@[]",
    "a@[192.0.2.1",
    "a@192.0.2.1]",
    "a@[192.0.2.1].example",
    "a@[[192.0.2.1]]",
    "a@[ 192.0.2.1 ]",
    "a@[192.0.2]",
    "a@[192.0.2.256]",
    "a@[192.0.2.01]",
    "a@[0300.0.2.1]",
    "a@[0xc0.0.2.1]",
    "a@[3221225985]",
    "a@[example.com]",
    "a@[2001:db8::1]",
    "a@[::1]",
    "a@[IPv4:192.0.2.1]",
    "a@[IPv6:]",
    "a@[IPv6:192.0.2.1]",
    "a@[IPv6: 2001:db8::1]",
    "a@[IPv6:2001:db8::1%eth0]",
    "a@[IPv6:fe80::1%25]",
    "a@[IPv6:::ffff:192.0.2.1]",
    "a@[IPv6:1:2:3]",
    "a@[IPv6:1::2::3]",
    "a@[x400:c=us]",
    "a@[\uff11\uff19\uff12.0.2.1]",
]

HIDDEN_CHARACTERS = [
    "\0",
    "\t",
    "\n",
    "\x0b",
    "\r",
    "\x1b",
    "\x1f",
    "\x7f",
    "\x80",
    "\x85",
    "\x9f",
    "\xa0",
    "\xad",
    "\u034f",
    "\u061c",
    "\u115f",
    "\u1680",
    "\u180e",
    "\u2003",
    "\u200b",
    "\u200c",
    "\u200d",
    "\u200e",
    "\u200f",
    "\u2028",
    "\u2029",
    "\u202a",
    "\u202e",
    "\u202f",
    "\u2060",
    "\u2066",
    "\u2069",
    "\u2800",
    "\u3000",
    "\u3164",
    "\ud800",
    "\udfff",
    "\ue000",
    "\ufe0f",
    "\ufeff",
    "\uffa0",
    "\ufff9",
    "\uffff",
    "\U000e0001",
    "\U000e0100",
    "\U0010ffff",
]

HIDDEN = [
    template.replace("X", char)
    for char in HIDDEN_CHARACTERS
    for template in ("aXb@example.com", "a@examXple.com", '"aXb"@example.com', "Xa@b", "a@bX")
]

REFUSED = [
    *MISSING,
    *NO_AT,
    *NO_LOCAL_PART,
    *NO_DOMAIN,
    *[text for text, _ in HABITS],
    *LOCAL_FAULTS,
    *DOMAIN_FAULTS,
    *HIDDEN,
]


def test_the_tables_are_large() -> None:
    assert len(TAKEN) + len(REFUSED) - len(HIDDEN) >= 150
    assert len(set(REFUSED)) == len(REFUSED)


@pytest.mark.parametrize(("text", "address"), TAKEN)
def test_an_address_is_taken_in_its_canonical_form(text: str, address: str) -> None:
    parsed = parse_address(text)
    assert str(parsed) == address
    local_part, _, domain = address.rpartition("@")
    assert parsed == Address(local_part=local_part, domain=domain)


@pytest.mark.parametrize("text", REFUSED)
def test_an_odd_address_is_refused_in_a_printable_sentence(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    message = str(caught.value)
    assert message.isprintable()
    assert message.endswith(".")
    assert len(message) < 240
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("text", "message"), HABITS)
def test_what_people_paste_is_explained(text: str, message: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (MISSING, "Type an address"),
        (NO_AT, "The address has no @."),
        (NO_DOMAIN, "The domain after the @ is missing."),
        (DOMAIN_FAULTS, "The part after the @ is not a valid domain."),
        (HIDDEN, "The address contains a control or invisible character (U+"),
    ],
)
def test_a_fault_is_told_apart(texts: list[str], message: str) -> None:
    for text in texts:
        with pytest.raises(AddressError) as caught:
            parse_address(text)
        assert str(caught.value).startswith(message), text


@pytest.mark.parametrize("text", ["@", "@example.com"])
def test_a_missing_local_part_is_told(text: str) -> None:
    with pytest.raises(AddressError, match="The part before the @ is missing"):
        parse_address(text)


def test_an_ip_address_without_brackets_is_told_about_them() -> None:
    with pytest.raises(AddressError, match=r"in brackets, \[192\.0\.2\.1\]"):
        parse_address("a@198.51.100.7")


def test_the_quoted_and_the_bare_spelling_are_one_address() -> None:
    assert parse_address('"john"@Example.com') == parse_address("john@example.COM")
    assert len({parse_address('"john"@x'), parse_address("john@x")}) == 1


def test_the_whole_address_has_at_most_254_octets() -> None:
    domain = f"{DOMAIN_189[:-1]}.d"  # one octet more
    with pytest.raises(AddressError, match="at most 254 octets"):
        parse_address(f"{LOCAL_64}@{domain}")


@pytest.mark.parametrize(
    "text",
    [
        "a" * 513,
        "a" * 10_000_000,
        " " * 10_000_000,
        "@" * 10_000_000,
        '"' + "\\" * 10_000_000,
        "<" * 10_000_000,
        "a." * 5_000_000 + "@b",
        "\u0344" * 10_000_000,
    ],
    ids=["513", "10 MB", "blanks", "at signs", "backslashes", "brackets", "dots", "marks"],
)
def test_a_text_that_is_too_long_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(AddressError, match="at most 254 octets"):
        parse_address(text)
    assert time.process_time() - start < 0.05


@pytest.mark.parametrize(
    "text",
    [
        "\u0344" * 512,
        "a@" + "\ufdfa" * 500,
        "a@" + "क\u0301" * 250,
        '"' + '\\"' * 255,
        "<" * 512,
        "a." * 250 + "@b",
        "a@xn--" + "9" * 500,
        "a@[IPv6:" + ":" * 500 + "]",
    ],
    ids=["marks", "expanding", "context", "quotes", "brackets", "dots", "punycode", "colons"],
)
def test_the_worst_text_that_fits_is_answered_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(AddressError):
        parse_address(text)
    assert time.process_time() - start < 0.05


PIECES = st.lists(
    st.sampled_from(
        [
            *'@."\\ <>[]():;,',
            "a",
            "john",
            "example",
            "IPv6:",
            "::1",
            "192.0.2.1",
            "xn--",
            "ä",
            "a\u0308",
            "\u0338",
            "=",
            "\u037e",
            "\u1fef",
            "字",
            "\u3002",
            "א",
            "\u200b",
            "\r\n",
            "mailto:",
        ]
    ),
    max_size=12,
).map("".join)
QUOTED = PIECES.map(lambda inside: f'"{inside}"@example.com')
WITH_DOMAIN = PIECES.map("a@".__add__)


@settings(deadline=None, max_examples=800)
@given(st.one_of(st.text(max_size=300), PIECES, QUOTED, WITH_DOMAIN))
def test_any_text_is_one_address_or_one_clean_refusal(text: str) -> None:
    address, refusal = None, ""
    try:
        address = parse_address(text)
    except AddressError as error:
        refusal = str(error)
    assert refusal.isprintable()
    if address is None:
        return
    wire = str(address)
    assert parse_address(wire) == address
    assert str(parse_address(wire)) == wire
    assert wire.isprintable()
    assert not set(wire) & {"<", ">"}
    assert address.domain.isascii()
    assert unicodedata.is_normalized("NFC", wire)
    assert len(address.local_part.encode()) <= 64
    assert len(wire.encode()) <= 254


ATEXT = "abcXYZ019!#$%&'*+-/=?^_`{|}~"
DOT_STRINGS = st.lists(st.text(ATEXT, min_size=1, max_size=9), min_size=1, max_size=5).map(
    ".".join
)


@given(DOT_STRINGS, st.sampled_from(["example.com", "localhost", "[192.0.2.1]"]))
def test_every_dot_string_is_kept_as_it_is(local_part: str, domain: str) -> None:
    assert str(parse_address(f"{local_part}@{domain}")) == f"{local_part}@{domain}"


PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="<>")


@given(st.text(PRINTABLE, min_size=1, max_size=30))
def test_every_printable_content_can_be_quoted(content: str) -> None:
    escaped = "".join(f"\\{char}" for char in content)
    plain = content.replace("\\", "\\\\").replace('"', '\\"')
    once = parse_address(f'"{plain}"@example.com')
    assert parse_address(f'"{escaped}"@example.com') == once
    assert once.local_part in {content, f'"{plain}"'}
