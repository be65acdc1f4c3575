"""Edits by place, which `test_downgrade` and `test_submitted` try with whole messages."""

from smarthost.mail.reencode import applied


def test_edits_are_made_in_the_order_of_their_places() -> None:
    edits = [(5, 5, b"+"), (2, 4, b""), (0, 1, b"A"), (5, 5, b"-"), (6, 6, b"!")]
    assert applied(b"abcdef", edits) == b"Abe+-f!"


def test_no_edit_changes_nothing() -> None:
    assert applied(b"abc", []) == b"abc"
