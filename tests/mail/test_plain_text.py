"""The text of HTML: what a reader would see of it, in time that is as long as the HTML."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.plain_text import LONGEST, plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("Hello", "Hello\n"),
        ("<p>Hello</p>", "Hello\n"),
        ("<p>Hello <b>Ann</b>,</p>\n<p>bye</p>", "Hello Ann,\n\nbye\n"),
        ("a<br>b<br/>c", "a\nb\nc\n"),
        ("<div>a</div><div>b</div>", "a\nb\n"),
        ("  much \n  blank\t space&nbsp;&nbsp;here ", "much blank space here\n"),
        ("<h1>Title</h1>Text", "Title\n\nText\n"),
        ("<ul><li>One<li>Two</ul>", "- One\n- Two\n"),
        ("<ul><li></li><li><p>Two</p></li></ul>", "- Two\n"),
        ("<table><tr><th>a</th><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"),
        ("<head><title>T</title><style>p > a {}</style></head><p>x", "x\n"),
        ('<script>if (a < b) alert("</p>")</script>x', "x\n"),
        ("<!DOCTYPE html><!-- <p>no</p> -->x<!-- open", "x\n"),
        ("<?xml version='1.0'?>x", "x\n"),
        ("&lt;b&gt; &amp;amp; &copy; &#x4e2d;", "<b> &amp; © 中\n"),
        ("1 < 2 and 3 > 2 <3", "1 < 2 and 3 > 2 <3\n"),
        ("a&#" + "1" * 5000 + ";b", "a\ufffdb\n"),
        ("<a href='https://x.test/&#" + "9" * 5000 + "'>c</a>", "c (https://x.test/\ufffd)\n"),
        ('<a href="https://x.test/?b=1&amp;c">Pay</a> now', "Pay (https://x.test/?b=1&c) now\n"),
        ('<a href="https://x.test/">https://x.test</a>', "https://x.test\n"),
        ('<a href="https://x.test/">x.test</a>', "x.test\n"),
        ("<a href='mailto:a@x.test'>a@x.test</a>", "a@x.test\n"),
        ("<a href=https://x.test/>here</a>", "here (https://x.test/)\n"),
        ('<a href="#top">up</a> <a>no</a> <a href="javascript:x">js</a>', "up no js\n"),
        ('<a href="https://x.test/1">one<a href="https://x.test/2">two',
         "one (https://x.test/1)two (https://x.test/2)\n"),
        ('<a title="a > b" href="https://x.test/">c</a>', "c (https://x.test/)\n"),
        ('<img src="x" alt="Logo"> <img src=y>', "Logo\n"),
        ('<p title="unclosed>text', '<p title="unclosed>text\n'),
        ("<P>UPPER<BR>CASE</P>", "UPPER\nCASE\n"),
        ("x" * (LONGEST + 1), ""),
    ],
)  # fmt: skip
def test_a_reader_sees_this(html: str, text: str) -> None:
    assert plain_text(html) == text


@given(st.text("<>/!-'\"=& apbrlihefscty\n", max_size=120))
def test_any_html_gives_a_text(html: str) -> None:
    text = plain_text(html)
    assert text == "" or (text.endswith("\n") and text.strip())
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "<a '", '<a "', "<!--", "<!", "&", "&#", "<a href=", "</", "<a>", "<p",
     "<script>", "a ", "<li>", "<a href='", " \n", "<a b='c\" ", "<a href='https://x.test'>"],
)  # fmt: skip
@pytest.mark.parametrize("frame", ["{}", "<a {}>", "<a '{}", "<{}", "<!{}"])
def test_time_grows_no_faster_than_the_html(piece: str, frame: str) -> None:
    def seconds(times: int) -> float:
        html = frame.format(piece * (times * 25_000 // len(piece)))
        begin = time.process_time()
        plain_text(html)
        return time.process_time() - begin

    # Eight times the text: about 8 if it is linear, 64 if it is quadratic.
    assert seconds(8) < 24 * max(seconds(1), 0.004)
