import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.smtp_settings.importing.variables import LONGEST_VALUE, Variable, read_variables


def value(text: str, name: str = "a") -> str:
    variable = read_variables(text)[name]
    assert not variable.unreadable, variable.unreadable
    return variable.value


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("  A = b  ", "b"),
        ("A=b # said", "b"),
        ("A=b#c", "b#c"),
        ("A=#b", "#b"),
        ("A= # nothing", ""),
        ("A=", ""),
        ("A=b=c", "b=c"),
        ("A='b # ${C} $D'", "b # ${C} $D"),
        ('A="b # c" # said', "b # c"),
        (r'A="b\"c\\d\n\$e"', 'b"c\\d\n$e'),
        ('A="b\nc"', "b\nc"),
        ("A=pa$word", "pa$word"),
        ("A=${UNKNOWN}", "${UNKNOWN}"),
        ("A=b\r\nC=d\r\n", "b"),
    ],
)
def test_a_line_is_read_as_the_dotenv_libraries_agree(line: str, expected: str) -> None:
    assert value(line) == expected


def test_references_are_filled_in_from_the_lines_before() -> None:
    text = 'NAME=Shop\nA="${NAME} of ${name}"\nB=\'${NAME}\'\nC="\\${NAME}"'
    assert value(text) == "Shop of Shop"
    assert value(text, "b") == "${NAME}"
    assert value(text, "c") == "${NAME}"


def test_what_is_no_variable_is_passed_over() -> None:
    assert set(read_variables("# A=b\n\n- x\nB=c\n[section]\n1=2\n")) == {"b"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A='b", "no second one"),
        ('A="b', "no second one"),
        ('A="b"c', "something follows"),
        ("A=b\na=c", "twice, with different values"),
        ("A=b\nA='b", "twice, with different values"),
        (f"A={'x' * (LONGEST_VALUE + 1)}", "more than"),
    ],
)
def test_what_nobody_can_be_sure_of_is_unreadable(text: str, reason: str) -> None:
    assert reason in read_variables(text)["a"].unreadable
    assert read_variables(f"{text}\nB=c\n")["b"].value == "c" or "no second" in reason


def test_the_same_value_twice_is_that_value() -> None:
    assert value("A=b\nexport A='b'") == "b"


def test_references_to_references_do_not_grow_without_end() -> None:
    lines = ["A0=ha"] + [f"A{n}=" + f"${{A{n - 1}}}" * 10 for n in range(1, 400)]
    began = time.monotonic()
    found = read_variables("\n".join(lines))
    assert time.monotonic() - began < 5
    assert max(len(one.value) for one in found.values()) <= LONGEST_VALUE


@given(st.text(alphabet="AB=\"'\\ \n#${}x", max_size=60))
def test_any_text_is_read_within_bounds(text: str) -> None:
    for name, variable in read_variables(text).items():
        assert variable.name.lower() == name
        assert len(variable.value) <= LONGEST_VALUE


@given(st.text(max_size=60).filter(lambda text: "'" not in text and "\r" not in text))
def test_what_stands_in_single_quotation_marks_comes_back(text: str) -> None:
    assert value(f"A='{text}'\nB=c") == text


def test_a_value_does_not_show_itself() -> None:
    assert "hush" not in repr(Variable(name="A", value="hush"))
