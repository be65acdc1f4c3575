"""RFC 2047: what is written has the right shape, and two readers find the text in it."""

import email.header
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.encoded_words import LONGEST, SHORTEST, decoded, encoded_words, shown

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
ROOM = st.integers(min_value=-10, max_value=100)


def read_by_the_standard_library(words: list[str]) -> str:
    return str(email.header.make_header(email.header.decode_header("\r\n ".join(words))))


@given(TEXT, ROOM)
def test_what_is_written_reads_as_it_was(text: str, room: int) -> None:
    words = list(encoded_words(text, first_room=room))
    assert decoded(" ".join(words)) == text
    assert decoded(" \t  ".join(words)) == text
    assert read_by_the_standard_library(words) == text


@given(TEXT, ROOM)
def test_every_word_has_the_shape_and_the_length_of_the_rfc(text: str, room: int) -> None:
    words = list(encoded_words(text, first_room=room))
    for word in words:
        # Section 5 (3): in a phrase, Q has nothing but these characters.
        assert re.fullmatch(r"=\?utf-8\?(q\?[A-Za-z0-9!*+/=_-]+|b\?[A-Za-z0-9+/=]+)\?=", word)
        assert len(word) <= LONGEST
    if room >= SHORTEST:
        assert len(words[0]) <= room


@given(TEXT)
def test_each_word_is_whole_characters(text: str) -> None:
    words = list(encoded_words(text, first_room=LONGEST))
    parts = [decoded(word) for word in words]
    assert "".join(parts) == text
    assert all(part for part in parts)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Ein Gruß an alle", "=?utf-8?q?Ein_Gru=C3=9F_an_alle?="),
        ("some_words in a=b?", "=?utf-8?q?some=5Fwords_in_a=3Db=3F?="),
        ("Grüße", "=?utf-8?b?R3LDvMOfZQ==?="),
        ("日本語", "=?utf-8?b?5pel5pys6Kqe?="),
    ],
)
def test_the_shorter_encoding_is_taken(text: str, word: str) -> None:
    assert list(encoded_words(text, first_room=LONGEST)) == [word]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # RFC 2047, section 8, with its charset made UTF-8.
        ("=?UTF-8?Q?a?=", "a"),
        ("=?utf-8?q?a?= b", "a b"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=   =?utf-8?b?Yg==?=", "ab"),
        ("=?utf-8?q?a_b?=", "a b"),
        ("=?utf-8?q?a?= =?utf-8?q?_b?=", "a b"),
        ("x =?utf-8?q?a?=", "x a"),
        ("", ""),
        ("a  b", "a  b"),
    ],
)
def test_the_examples_of_the_rfc_read_as_it_says(value: str, text: str) -> None:
    assert decoded(value) == text


@pytest.mark.parametrize(
    "value",
    [
        "=?utf-8?q?a",
        "=?utf-8?x?a?=",
        "=?utf-8?b?*?=",
        "=?utf-8?b?YQ?=",
        "=?utf-8?q?=FF?=",
        "=?latin1?q?a?=",
        "x=?utf-8?q?a?=",
        "=?utf-8?q?a?=x",
        "=?utf-8?q?a?b?=",
    ],
)
def test_what_is_no_encoded_word_stays_as_it_stands(value: str) -> None:
    assert decoded(value) == value


@given(st.text(max_size=100))
def test_any_text_is_read_without_failing(value: str) -> None:
    assert isinstance(decoded(value), str)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("plain  text ", "plain  text "),
        ("raw Grüße", "raw Grüße"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?ISO-8859-1?Q?Gr=FC=DFe?= =?iso-8859-1?b?/A==?= a", "Grüßeü a"),
        ("=?utf-8*de?q?a?=  =?utf-8?q?b?= c =?utf-8?q?d?=", "ab c d"),
        ("=?utf-8?b?8J+T?= =?utf-8?b?pw==?=", "\U0001f4e7"),
        ("=?utf-8?b?8J+T?= x =?utf-8?b?pw==?=", "\ufffd x \ufffd"),
        ("=?iso-8859-1?q?=FC?= =?utf-8?q?=C3=BC?=", "üü"),
        ("=?iso-2022-jp?b?GyRCRnxLXBsoQg==?=", "日本"),
        ("=?utf-8?b?Zg?=", "f"),
        ("=?utf-8?b?Z?=", "Z"),
        ("=?no-such?q?a?=", "a"),
        ("=?utf-8?x?a?= =? ?= =?=", "=?utf-8?x?a?= =? ?= =?="),
        ("=?utf-8?q?a=0D=0ABcc:_b?=", "a\ufffd\ufffdBcc: b"),
        ("a\tb\x07\u2028", "a b\ufffd\ufffd"),
    ],
)
def test_what_others_wrote_is_shown_on_one_line(value: str, text: str) -> None:
    assert shown(value) == text


@given(TEXT, ROOM)
def test_what_we_wrote_is_shown_as_it_was(text: str, room: int) -> None:
    words = " ".join(encoded_words(text, first_room=room))
    if text.isprintable():
        assert shown(words) == text


@pytest.mark.parametrize("piece", ["=?", "=?a?q?", "=?a?q?b?= ", " ", "?=", "=?a?b?="])
def test_showing_takes_no_longer_than_the_value(piece: str) -> None:
    def seconds(times: int) -> float:
        value = piece * (times * 20_000 // len(piece))
        begin = time.process_time()
        shown(value)
        return time.process_time() - begin

    # Eight times the text: about 8 if it is linear, 64 if it is quadratic.
    assert seconds(8) < 24 * max(seconds(1), 0.005)
