"""The fields of a header by their places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.fields import header_end, read_fields


@pytest.mark.parametrize(
    ("content", "ends"),
    [
        (b"A: b\r\n\r\nbody", (6, 8)),
        (b"\r\nbody", (0, 2)),
        (b"A: b\r\n", (6, 6)),
        (b"A: b", (4, 4)),
        (b"", (0, 0)),
    ],
)
def test_a_header_ends_before_the_empty_line(content: bytes, ends: tuple[int, int]) -> None:
    assert header_end(content, 0, len(content)) == ends


def test_fields_are_read_whole_and_in_order() -> None:
    content = b"A: b\r\nno field\r\nSub-Ject :x\r\n\tc: d\r\nX:\r\n  folded\r\n\tvalue \r\nZ:\xff"
    fields = read_fields(content, 0, len(content))
    assert [(field.name, field.value) for field in fields] == [
        ("A", "b"),
        ("", "no field"),
        ("", "Sub-Ject :x\r\n\tc: d"),
        ("X", "folded\tvalue"),
        ("Z", "ÿ"),
    ]
    assert [field.lower_name for field in fields] == ["a", "", "", "x", "z"]


@given(st.lists(st.sampled_from([b"a", b":", b" ", b"\r\n", b"\t", b"\xff", b"B: c\r\n"])))
def test_every_octet_is_in_one_field(pieces: list[bytes]) -> None:
    content = b"".join(pieces)
    places = [(field.begin, field.end) for field in read_fields(content, 0, len(content))]
    assert b"".join(content[begin:end] for begin, end in places) == content
