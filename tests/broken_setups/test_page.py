"""The page of broken set-ups lists what the tests build, all of it and nothing else."""

from collections import Counter

from smarthost.delivery.outcome import Code
from tests.broken_setups.page import PAGE, written
from tests.broken_setups.set_up import Found
from tests.broken_setups.table import TABLE

# What no administrator's set-up leads to: the mail itself, what was saved, and our own faults.
_NOT_OF_A_SET_UP = {
    Code.SMTPUTF8_UNSUPPORTED,
    Code.EIGHT_BIT_UNSUPPORTED,
    Code.PASSWORD_UNREADABLE,
    Code.NO_RELAY,
    Code.SETTINGS_CHANGED,
    Code.INTERRUPTED,
    Code.INTERNAL,
}


def test_the_tables_are_those_of_the_tests() -> None:
    page = PAGE.read_text(encoding="utf-8")

    again = "To write it anew: .venv/bin/python -m tests.broken_setups.page"
    assert page == written(page), again


def test_no_set_up_is_listed_twice() -> None:
    assert not [name for name, count in Counter(row.name for row in TABLE).items() if count > 1]


def test_every_code_that_a_set_up_can_lead_to_is_there() -> None:
    assert {row.code for row in TABLE} == set(Code) - _NOT_OF_A_SET_UP


def test_what_the_check_can_see_it_is_asked_about() -> None:
    at_data = [row for row in TABLE if row.found is Found.AT_DATA]

    assert {row.step for row in at_data} == {"data"}
    assert len(at_data) < len(TABLE) / 10
