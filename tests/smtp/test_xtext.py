import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.smtp.xtext import XtextError, decoded, encoded


@given(st.binary(max_size=100))
def test_a_value_comes_back(value: bytes) -> None:
    text = encoded(value)
    assert decoded(text.encode()) == value
    assert all("!" <= char <= "~" and char != "=" for char in text)


def test_the_example_of_the_rfc() -> None:
    # RFC 3461, section 4: `+` and `=` are encoded too.
    assert encoded(b"a+b=c d") == "a+2Bb+3Dc+20d"


@pytest.mark.parametrize("text", [b"a b", b"a=b", b"+2b", b"+2", b"+", b"\xc3\xa4", b"a\r\n"])
def test_what_is_no_xtext_is_refused(text: bytes) -> None:
    with pytest.raises(XtextError):
        decoded(text)
