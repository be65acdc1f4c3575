import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.web.pages.remote_text import remote, shortened, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ('"><img src=x onerror=alert(1)>', "&#34;&gt;&lt;img src=x onerror=alert(1)&gt;"),
        ("{{7*7}}", "{{7*7}}"),
        ("מחיר \u200f(100)", "מחיר \u200f(100)"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("a\n\tb", "a\n\tb"),
        ("exe\u202egpj.txt", 'exe<span class="unseen">U+202E</span>gpj.txt'),
        (
            "a\x00b\x1b[2J",
            'a<span class="unseen">U+0000</span>b<span class="unseen">U+001B</span>[2J',
        ),
    ],
)
def test_a_text_is_no_markup_and_hides_nothing(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert remote(text) == (shown if text.isascii() else f"<bdi>{shown}</bdi>")


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_what_can_be_seen_is_shown_as_it_is(text: str) -> None:
    assert html.unescape(visible(text)) == text


@given(st.text())
def test_nothing_is_left_that_acts_on_what_stands_beside(text: str) -> None:
    shown = re.sub(r'<span class="unseen">U\+[0-9A-F]{4}</span>', "", visible(text))
    assert not re.search("[<>\x00\x1b\x7f\u2028\u202a-\u202e\u2066-\u2069]", shown)


@pytest.mark.parametrize(("most", "expected"), [(3, "a…"), (4, "a b…"), (5, "a b c")])
def test_a_long_text_is_cut(most: int, expected: str) -> None:
    assert shortened("a b c", most) == expected
