"""Parameters of MIME headers: a reader finds the value, whatever is in it."""

import time
from email import policy
from email.headerregistry import ContentDispositionHeader
from email.parser import BytesParser
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.header_reader import HeaderError
from smarthost.mail.headers import PlainHeader, header_block
from smarthost.mail.parameters import read_parameters, with_parameters
from tests.mail.injections import REFUSED, TAKEN

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=200)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=80)


def written(value: str) -> bytes:
    return header_block(
        [
            PlainHeader(
                name="Content-Disposition", value=with_parameters("attachment", filename=value)
            )
        ]
    )


def read(block: bytes) -> str:
    message = BytesParser(policy=policy.default).parsebytes(block + b"\r\n")
    assert message.keys() == ["Content-Disposition"]
    header = cast("ContentDispositionHeader", message["Content-Disposition"])
    return str(header.params["filename"])


@pytest.mark.parametrize(
    ("value", "parameter"),
    [
        ("utf-8", "filename=utf-8"),
        ("=_boundary", 'filename="=_boundary"'),
        ("two words.txt", 'filename="two words.txt"'),
        ("", 'filename=""'),
        ('a "b" \\c', 'filename="a \\"b\\" \\\\c"'),
        ("über.txt", "filename*=utf-8''%C3%BCber.txt"),
        ("50% für 'dich'*", "filename*=utf-8''50%25%20f%C3%BCr%20%27dich%27%2A"),
    ],
)
def test_a_value_is_a_token_a_quoted_string_or_extended(value: str, parameter: str) -> None:
    assert with_parameters("attachment", filename=value) == f"attachment; {parameter}"


def test_parameters_keep_their_order() -> None:
    assert with_parameters("text/plain", charset="utf-8", format="flowed") == (
        "text/plain; charset=utf-8; format=flowed"
    )
    assert with_parameters("text/plain") == "text/plain"


def test_a_long_value_is_written_in_numbered_parts() -> None:
    parts = with_parameters("attachment", filename="ä" * 100).split("; ")[1:]
    assert [part.partition("=")[0] for part in parts] == [
        f"filename*{number}*" for number in range(len(parts))
    ]
    assert parts[0].startswith("filename*0*=utf-8''%C3%A4")
    assert all(len(part) <= 70 and part.endswith("%C3%A4") for part in parts)


@given(TEXT | ASCII)
def test_a_value_reads_as_it_was_given_in_short_lines(value: str) -> None:
    block = written(value)
    assert read(block) == value
    assert block.isascii()
    assert all(len(line) <= 76 for line in block.split(b"\r\n"))


@pytest.mark.parametrize("value", TAKEN)
def test_a_value_that_looks_like_an_injection_stays_a_value(value: str) -> None:
    assert read(written(value)) == value


@pytest.mark.parametrize("value", REFUSED)
def test_a_value_with_control_characters_is_refused(value: str) -> None:
    with pytest.raises(HeaderError, match="filename has the character"):
        with_parameters("attachment", filename=value)


@pytest.mark.parametrize(
    ("value", "first", "parameters"),
    [
        ("", "", {}),
        ("TEXT/Plain", "text/plain", {}),
        ("text/plain (c); Charset=UTF-8", "text/plain", {"charset": "UTF-8"}),
        ('a/b;x="1; y=2";z=3', "a/b", {"x": "1; y=2", "z": "3"}),
        ('a/b; x="a \\"b\\" \\\\"', "a/b", {"x": 'a "b" \\'}),
        ("a/b; x = 1 ; x=2;\ty=3", "a/b", {"x": "1", "y": "3"}),
        ("a/b; x; =y; z=", "a/b", {}),
        ("a/b; f*=utf-8''%C3%BC", "a/b", {"f*": "utf-8''%C3%BC"}),
        ('a/b; x="open', "a/b", {}),
    ],
)
def test_what_others_wrote_is_read(value: str, first: str, parameters: dict[str, str]) -> None:
    assert read_parameters(value) == (first, parameters)


@pytest.mark.parametrize("piece", [";", ';x="', "; ", ';x="\\', ";x=1", " ", ';x = "a"'])
def test_reading_takes_no_longer_than_the_value(piece: str) -> None:
    def seconds(times: int) -> float:
        value = "a/b" + piece * (times * 20_000 // len(piece))
        begin = time.process_time()
        read_parameters(value)
        return time.process_time() - begin

    # Eight times the text: about 8 if it is linear, 64 if it is quadratic.
    assert seconds(8) < 24 * max(seconds(1), 0.005)
