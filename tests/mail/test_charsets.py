"""Octets in any charset: something is shown, whatever the charset is called."""

import codecs
import encodings
import time
from encodings.aliases import aliases

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.charsets import text_of


@pytest.mark.parametrize(
    ("octets", "charset", "text"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode(), "", "Grüße"),
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Grüße".encode("latin-1"), "ISO-8859-1", "Grüße"),
        ("Grüße".encode("latin-1"), "utf-8", "Gr\ufffd\ufffde"),
        ("日本".encode("iso-2022-jp"), "iso-2022-jp", "日本"),
        (b"abc", "no-such-charset", "abc"),
        (b"abc", "x" * 1000, "abc"),
        (b"abc", "ü", "abc"),
        (b"abc", "utf-8\0", "abc"),
        (b"eJw=", "zip", "eJw="),
        (b"616263", "hex", "616263"),
        (b"\\x41", "unicode_escape", "\\x41"),
        (b"abc-", "punycode", "abc-"),
        (b"+2AA-", "utf-7", "\ufffd"),
        ("Grüße".encode("cp1252"), "Windows-1252", "Grüße"),
        ("Grüße".encode("latin-1"), "ISO_8859-1:1987", "Grüße"),
        ("Ґ".encode("koi8-u"), "KOI8-U", "Ґ"),
    ],
)
def test_octets_are_read(octets: bytes, charset: str, text: str) -> None:
    assert text_of(octets, charset) == text


@given(st.binary(max_size=50), st.sampled_from(sorted(aliases)))
def test_any_octets_in_any_charset_give_a_text(octets: bytes, charset: str) -> None:
    text_of(octets, charset).encode()  # which no half of a character can be


def test_names_that_nobody_knows_are_not_kept() -> None:
    kept = len(encodings._cache)
    for number in range(1000):
        assert text_of(b"abc", f"unknown-{number}") == "abc"

    assert len(encodings._cache) == kept


@pytest.mark.parametrize("charset", sorted(set(aliases.values())))
def test_no_charset_takes_longer_than_the_text(charset: str) -> None:
    codecs.lookup("utf-8")
    begin = time.process_time()
    text_of(b"a-9" * 30_000, charset)
    assert time.process_time() - begin < 0.5
