"""The fingerprint tells any two lists of rows apart, and does not care how they come."""

from hypothesis import given
from hypothesis import strategies as st

from smarthost.database.copy.fingerprint import Fingerprint, with_hashed_octets
from smarthost.database.engine import Row

VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
    | st.binary(max_size=3)
)
ROWS = st.lists(st.lists(VALUES, max_size=3).map(tuple), max_size=4)


def fingerprint(*batches: list[Row]) -> tuple[int, str]:
    made = Fingerprint()
    for batch in batches:
        made.add(map(with_hashed_octets, batch))
    return made.rows, made.sha256


@given(ROWS, ROWS)
def test_it_is_the_same_for_the_same_rows_alone(one: list[Row], other: list[Row]) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (one == other)


@given(ROWS, st.integers(0, 4))
def test_batches_make_no_difference(rows: list[Row], first: int) -> None:
    assert fingerprint(rows[:first], rows[first:]) == fingerprint(rows)


def test_values_of_different_kinds_are_told_apart() -> None:
    rows: list[list[Row]] = [[("1",)], [(1,)], [(b"1",)], [(None,)], [("",)], [(b"",)], [(0,)]]
    assert len({fingerprint(one) for one in rows}) == len(rows)
    assert fingerprint([("ab", "c")]) != fingerprint([("a", "bc")])
    assert fingerprint([("a",), ("b",)]) != fingerprint([("a", "b")])
