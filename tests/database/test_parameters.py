import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.database.parameters import numbered


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT $1", "SELECT ?1"),
        ("SELECT $2, $1, $2", "SELECT ?2, ?1, ?2"),
        ("VALUES ($1,$12,$120)", "VALUES (?1,?12,?120)"),
        ("SELECT '$1', $1", "SELECT '$1', ?1"),
        ("SELECT 'it''s $1', $1", "SELECT 'it''s $1', ?1"),
        ("SELECT '' || $1", "SELECT '' || ?1"),
        ('SELECT "$1", $1', 'SELECT "$1", ?1'),
        ("SELECT $1 -- it's $2\n, $2", "SELECT ?1 -- it's $2\n, ?2"),
        ("SELECT '-- $1', $1", "SELECT '-- $1', ?1"),
        ("SELECT 5 - -$1", "SELECT 5 - -?1"),
        ("SELECT 'a' -- '\nWHERE $1 = 'b'", "SELECT 'a' -- '\nWHERE ?1 = 'b'"),
        ("SELECT $0, $x", "SELECT $0, $x"),
        ("", ""),
    ],
)
def test_numbers_outside_quotes_and_comments_become_sqlites(sql: str, expected: str) -> None:
    assert numbered(sql) == expected


@given(st.permutations(range(1, 13)))
def test_each_value_stands_where_its_number_is(order: list[int]) -> None:
    connection = apsw.Connection(":memory:")
    sql = "SELECT " + ", ".join(f"${number}" for number in order)
    rows = connection.execute(numbered(sql), tuple(range(1, 13))).fetchall()
    assert rows == [tuple(order)]
    connection.close()
