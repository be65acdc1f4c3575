"""What is kept of an answer to EHLO."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.smtp.extensions import Extensions
from smarthost.smtp.reply import Reply


def offered(*lines: str) -> Extensions:
    return Extensions.of(Reply(code=250, enhanced=None, lines=("mail.example.com", *lines)))


def test_nothing_on_offer_is_nothing() -> None:
    assert offered() == Extensions()


def test_all_that_is_used_is_read() -> None:
    assert offered(
        "STARTTLS",
        "SIZE 35882577",
        "8BITMIME",
        "SMTPUTF8",
        "PIPELINING",
        "ENHANCEDSTATUSCODES",
        "DSN",
        "AUTH PLAIN LOGIN",
        "CHUNKING",
        "VRFY",
    ) == Extensions(
        starttls=True,
        size=35_882_577,
        eight_bit_mime=True,
        smtp_utf8=True,
        pipelining=True,
        enhanced_status_codes=True,
        dsn=True,
        auth=("PLAIN", "LOGIN"),
    )


def test_case_does_not_matter() -> None:
    assert offered("starttls", "Auth plain") == Extensions(starttls=True, auth=("PLAIN",))


def test_the_greeting_is_no_keyword() -> None:
    greeting = Reply(code=250, enhanced=None, lines=("STARTTLS",))
    assert Extensions.of(greeting) == Extensions()


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("SIZE 1", 1),
        ("SIZE 0", None),
        ("SIZE", None),
        ("SIZE x", None),
        ("SIZE -1", None),
        ("SIZE 1e6", None),
        ("SIZE \u0661", None),
        ("SIZE 99999999999999999999", 99_999_999_999_999_999_999),
        ("SIZE 999999999999999999999", None),
        ("SIZE  1", None),
    ],
)
def test_a_size_is_digits_and_zero_is_none(line: str, size: int | None) -> None:
    assert offered(line).size == size


def test_mechanisms_keep_their_order_and_come_once() -> None:
    assert offered("AUTH LOGIN PLAIN login", "AUTH NTLM PLAIN").auth == ("LOGIN", "PLAIN", "NTLM")


@pytest.mark.parametrize("name", ["", "A" * 21, "PL\ufffdAIN", "PLAIN;", "\uff30LAIN"])
def test_what_is_no_name_of_a_mechanism_is_left_out(name: str) -> None:
    assert offered(f"AUTH {name} LOGIN").auth == ("LOGIN",)


@pytest.mark.parametrize(
    "line", ["", " STARTTLS", "STARTTLS\ufffd", "X=STARTTLS", "\uff33TARTTLS"]
)
def test_what_is_no_keyword_is_left_out(line: str) -> None:
    assert offered(line) == Extensions()


@given(st.lists(st.text(max_size=60)))
def test_no_answer_upsets_it(lines: list[str]) -> None:
    found = offered(*lines)
    assert all(name.isascii() and len(name) <= 20 for name in found.auth)
    assert found.size is None or 0 < found.size < 10**20
