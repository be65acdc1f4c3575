"""What a sender asks to be told, and addresses where only ASCII can stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.mail.dsn import Dsn, Notify, RecipientDsn, in_ascii

ANN = "ann@example.com"


def test_a_recipient_that_is_not_named_asked_for_nothing() -> None:
    asked = RecipientDsn(notify=frozenset({Notify.NEVER}))
    dsn = Dsn(recipients={ANN: asked})
    assert dsn.asked_for(ANN) is asked
    assert dsn.asked_for("ben@example.com") == RecipientDsn()


@pytest.mark.parametrize(
    ("address", "written"),
    [
        (ANN, ANN),
        ("a+b=c@example.com", "a+b=c@example.com"),
        ("jörg@example.com", r"j\x{F6}rg@example.com"),
        ("jörg+x@example.com", r"j\x{F6}rg\x{2B}x@example.com"),
        ('"ö 😀"@example.com', r'"\x{F6}\x{20}\x{1F600}"@example.com'),
        (r"j\x{F6}rg@example.com", r"j\x{F6}rg@example.com"),
    ],
)
def test_an_address_is_written_in_ascii(address: str, written: str) -> None:
    assert in_ascii(address) == written


@given(st.text())
def test_whatever_the_address_ascii_comes_out(address: str) -> None:
    assert in_ascii(address).isascii()
