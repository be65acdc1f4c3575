"""Which characters count as hidden, measured against Unicode's own categories."""

import sys
import unicodedata

import pytest

from smarthost.mail.characters import hidden_character, named


def test_every_control_format_surrogate_private_and_unassigned_character_is_hidden() -> None:
    refused = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
    missed = [
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in refused
        and code != 0x20
        and hidden_character(chr(code)) is None
    ]
    assert missed == []


def test_letters_digits_marks_and_blanks_are_not_hidden() -> None:
    assert hidden_character(" Jörg O'Neil, 字 \u0301 \U0001f4e7 ~") is None


@pytest.mark.parametrize("char", "\u034f\u115f\u17b5\u180b\u2800\u3164\ufe00\ufe0f\U000e01ef")
def test_what_shows_nothing_is_hidden_although_it_is_a_letter_or_a_mark(char: str) -> None:
    assert hidden_character(f"a{char}b") == char


def test_the_first_hidden_character_is_given() -> None:
    assert hidden_character("a\u200bb\n") == "\u200b"


@pytest.mark.parametrize(
    ("char", "name"), [("(", '"("'), ("\n", "U+000A"), ("ä", "U+00E4"), ("\U0001f4e7", "U+1F4E7")]
)
def test_a_character_is_named_in_printable_ascii(char: str, name: str) -> None:
    assert named(char) == name
