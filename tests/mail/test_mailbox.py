"""A mailbox as people type it: read strictly, and written so that it reads the same again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.address import AddressError, parse_address
from smarthost.mail.mailbox import Mailbox, parse_mailbox
from tests.mail.injections import LINE_ENDS

NAME = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=60)


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("a@x.com", None, "a@x.com"),
        ("  a@x.com ", None, "a@x.com"),
        ("<a@x.com>", None, "a@x.com"),
        ("Acme <a@x.com>", "Acme", "a@x.com"),
        ("Acme<a@x.com>", "Acme", "a@x.com"),
        ("Acme Inc. <a@x.com>", "Acme Inc.", "a@x.com"),
        ("  Acme  Inc  < a@x.com > ", "Acme  Inc", "a@x.com"),
        ('"Acme, Inc." <a@x.com>', "Acme, Inc.", "a@x.com"),
        ('"Acme \\"the\\" \\\\ shop" <a@x.com>', 'Acme "the" \\ shop', "a@x.com"),
        ('"a@b.com" <a@x.com>', "a@b.com", "a@x.com"),
        ('"" <a@x.com>', None, "a@x.com"),
        ("Jörg Ürü <jörg@bücher.example>", "Jörg Ürü", "jörg@xn--bcher-kva.example"),
        ("日本 ❤️ 👨\u200d👩 <a@x.com>", "日本 ❤️ 👨\u200d👩", "a@x.com"),
        ("=?utf-8?q?J=C3=B6rg?= <a@x.com>", "=?utf-8?q?J=C3=B6rg?=", "a@x.com"),
        ("O'Neil & Söhne <a@[192.0.2.1]>", "O'Neil & Söhne", "a@[192.0.2.1]"),
        ('"a b"@x.com', None, '"a b"@x.com'),
    ],
)
def test_a_mailbox_is_read(text: str, name: str | None, address: str) -> None:
    assert parse_mailbox(text) == Mailbox(address=parse_address(address), display_name=name)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Type an address"),
        ("Acme", "has no @"),
        ("Acme <>", "Type an address"),
        ("Acme <a@x.com", "without < and >"),
        ("a@x.com>", "without < and >"),
        ("Acme <a@x.com> more", "without < and >"),
        ("Acme <a@x.com>, Ben <b@x.com>", "Only one address"),
        ("a@x.com, b@x.com", "Only one address"),
        ("a@x.com; b@x.com", "Only one address"),
        ("Acme <a@x.com> <b@x.com>", "Only one address"),
        ("Acme, Inc. <a@x.com>", 'contains ",". Put the name in quotation marks'),
        ("a@b.com <a@x.com>", 'contains "@". Put the name'),
        ("Acme (Sales) <a@x.com>", r'contains "\("'),
        ("Team: <a@x.com>", 'contains ":"'),
        ('"Acme <a@x.com>', "has no second one"),
        ('"Acme" Inc <a@x.com>', "After the closing quotation mark"),
        ('Acme "Inc" <a@x.com>', 'contains """'),
        ("Acme <a b@x.com>", "a blank"),
        ("Acme <a@x.com\r\nBcc: b@x.com>", "control or invisible"),
        ("Acme\u202e <a@x.com>", r"U\+202E"),
        ("n" * 256 + " <a@x.com>", "at most 255"),
        ("n" * 2000 + " <a@x.com>", "too long"),
        *((f"Acme{end}x <a@x.com>", "control or invisible") for end in LINE_ENDS),
        ("Acme\r\nBcc: b@x.com <a@x.com>", "."),
        ("half \ud83d <a@x.com>", "control or invisible"),
    ],
)  # fmt: skip
def test_what_is_no_mailbox_is_refused_and_says_why(text: str, why: str) -> None:
    with pytest.raises(AddressError, match=why):
        parse_mailbox(text)


@given(NAME)
def test_a_mailbox_that_is_shown_reads_the_same(name: str) -> None:
    mailbox = Mailbox(address=parse_address("a@x.com"), display_name=name or None)
    assert parse_mailbox(str(mailbox)) == mailbox


@given(st.text(max_size=80))
def test_any_text_is_one_mailbox_or_refused(text: str) -> None:
    try:
        mailbox = parse_mailbox(text)
    except AddressError:
        return
    assert parse_mailbox(str(mailbox)) == mailbox
    assert "\n" not in str(mailbox)
