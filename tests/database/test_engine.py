"""What every store promises, whichever engine is behind it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from smarthost.database.engine import Database, Row, StoreUnavailableError, Transaction
from tests.engines import ENGINES, executing, open_database
from tests.processes import run_python

INSERT = "INSERT INTO notes (id, text) VALUES ($1, $2)"
COUNT = "SELECT count(*) FROM notes"

WRITE_ONE = """
import asyncio, sys
from pathlib import Path
from tests.engines import executing, open_database

async def main():
    database = open_database(sys.argv[1], Path(sys.argv[2]))
    await database.transact(executing("INSERT INTO notes (id) VALUES ($1)", sys.argv[3]))
    print(await database.fetch("SELECT id FROM notes ORDER BY id"))
    await database.close()

asyncio.run(main())
"""


async def count(database: Database) -> int:
    return int((await database.fetch(COUNT))[0][0])


async def test_a_value_goes_where_its_number_is(database: Database) -> None:
    sql = "SELECT CAST($2 AS TEXT), CAST($1 AS TEXT), CAST($2 AS TEXT), '$1'"
    expected = [("b", "a", "b", "$1")]
    assert await database.fetch(sql, "a", "b") == expected

    async def work(tx: Transaction) -> object:
        return await tx.fetch(sql, "a", "b")

    assert await database.transact(work) == expected


async def test_values_come_back_as_they_were(database: Database) -> None:
    sql = "SELECT CAST($1 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS FLOAT), CAST($4 AS TEXT)"
    values = ("naïve \U0001f4e7 ' ; --", 2**62, 1.5, None)
    assert await database.fetch(sql, *values) == [values]


async def test_what_a_unit_of_work_returns_is_its_answer(database: Database) -> None:
    async def work(tx: Transaction) -> str:
        await tx.execute(INSERT, "a", "first")
        rows = await tx.fetch("SELECT text FROM notes WHERE id = $1", "a")
        return f"it reads its own: {rows[0][0]}"

    assert await database.transact(work) == "it reads its own: first"


async def test_a_change_by_itself_tells_its_rows_and_is_seen_by_others(
    database: Database, open_another: Callable[[], Database]
) -> None:
    assert await database.execute(INSERT, "a", "first") == 1
    assert await open_another().fetch("SELECT text FROM notes") == [("first",)]
    assert await database.execute("DELETE FROM notes WHERE id = $1", "b") == 0


async def test_a_note_is_kept_and_its_failure_disturbs_no_other(
    database: Database, open_another: Callable[[], Database]
) -> None:
    await database.note(INSERT, "a", "first")
    with pytest.raises(Exception, match=r"(?i)unique"):
        await database.note(INSERT, "a", "second")
    await database.note(INSERT, "b", "third")
    found = await open_another().fetch("SELECT text FROM notes ORDER BY id")
    assert found == [("first",), ("third",)]


async def test_a_change_by_itself_that_fails_disturbs_no_other(database: Database) -> None:
    await database.execute(INSERT, "a", "first")
    results = await asyncio.gather(
        *(database.execute(INSERT, name, "second") for name in "bac"), return_exceptions=True
    )
    assert [isinstance(result, Exception) for result in results] == [False, True, False]
    assert await count(database) == 3


@pytest.mark.parametrize("many", [0, 1, 3, 500])
async def test_a_statement_is_run_for_each_row_of_values_in_their_order(
    database: Database, many: int
) -> None:
    values = [(f"{number:03}", "nul\0" * (number % 2)) for number in range(many)]

    async def work(tx: Transaction) -> tuple[list[Row], list[Row]]:
        returned = await tx.fetch_each(f"{INSERT} RETURNING id", values)
        return returned, await tx.fetch_each(
            "UPDATE notes SET text = id WHERE id = $1", [(one,) for one, _ in values[:2]]
        )

    returned, nothing = await database.transact(work)
    assert returned == [(one,) for one, _ in values]
    assert nothing == []
    assert await count(database) == many


async def test_a_statement_that_fails_for_one_of_many_rows_takes_back_its_unit(
    database: Database,
) -> None:
    async def work(tx: Transaction) -> None:
        await tx.fetch_each(INSERT, [("a", ""), ("b", ""), ("a", "")])

    results = await asyncio.gather(database.transact(work), return_exceptions=True)
    assert isinstance(results[0], Exception)
    assert await count(database) == 0
    assert await database.transact(executing(INSERT, "a", "")) == 1


async def test_a_unit_that_asks_for_nothing_changes_nothing(database: Database) -> None:
    async def work(_tx: Transaction) -> str:
        return "nothing"

    async def raising(_tx: Transaction) -> None:
        raise ValueError("refused")

    assert await database.transact(work) == "nothing"
    with pytest.raises(ValueError, match="refused"):
        await database.transact(raising)
    assert await database.transact(executing(INSERT, "a", "")) == 1


@pytest.mark.parametrize("subject", ['it\'s \\ "one"', "ünï\U0001f4e7", "", "nul\0"])
async def test_a_lock_takes_any_subject_first_and_later(database: Database, subject: str) -> None:
    async def increment(tx: Transaction, first: str) -> None:
        await tx.lock(first)
        await tx.lock(subject)
        rows = await tx.fetch(COUNT)
        await tx.execute(INSERT, f"{rows[0][0]}", "")

    async def increment_at_once(tx: Transaction) -> None:
        await increment(tx, subject)

    async def increment_behind_another(tx: Transaction) -> None:
        await increment(tx, "another")

    works = [increment_at_once, increment_behind_another] * 10
    await asyncio.gather(*map(database.transact, works))
    assert await count(database) == 20, "both are the same lock: no two counted the same"


@pytest.mark.parametrize(
    ("sql", "changed"),
    [
        ("UPDATE notes SET text = 'x'", 3),
        ("UPDATE notes SET text = 'x' WHERE id = 'a'", 1),
        ("UPDATE notes SET text = 'x' WHERE id = 'none'", 0),
        ("DELETE FROM notes WHERE id > 'a'", 2),
        ("INSERT INTO notes (id) VALUES ('a') ON CONFLICT DO NOTHING", 0),
        (
            "INSERT INTO notes (id) VALUES ('a') ON CONFLICT (id) DO UPDATE SET text = 'again'",
            1,
        ),
        ("CREATE TABLE others (id TEXT)", 0),
    ],
)
async def test_a_statement_tells_how_many_rows_it_changed(
    database: Database, sql: str, changed: int
) -> None:
    for name in "abc":
        await database.transact(executing(INSERT, name, ""))
    assert await database.transact(executing(sql)) == changed


async def test_rows_that_a_foreign_key_removes_are_not_counted(database: Database) -> None:
    for sql in (
        "CREATE TABLE lines (note TEXT NOT NULL REFERENCES notes (id) ON DELETE CASCADE)",
        "INSERT INTO notes (id) VALUES ('a')",
        "INSERT INTO lines (note) VALUES ('a'), ('a'), ('a')",
    ):
        await database.transact(executing(sql))
    assert await database.transact(executing("DELETE FROM notes")) == 1
    assert await database.fetch("SELECT count(*) FROM lines") == [(0,)]


async def test_a_foreign_key_holds(database: Database) -> None:
    await database.transact(
        executing("CREATE TABLE lines (note TEXT NOT NULL REFERENCES notes (id))")
    )
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        await database.transact(executing("INSERT INTO lines (note) VALUES ('none')"))


async def test_a_read_sees_what_was_committed_just_before(database: Database) -> None:
    for number in range(50):
        await database.transact(executing(INSERT, f"{number}", ""))
        assert await count(database) == number + 1


async def test_a_read_sees_the_commits_of_another_opener(
    database: Database, open_another: Callable[[], Database]
) -> None:
    other = open_another()
    for number in range(50):
        await (database, other)[number % 2].transact(executing(INSERT, f"{number}", ""))
        assert await count(database) == await count(other) == number + 1


@pytest.mark.parametrize("engine", ENGINES)
async def test_two_processes_see_each_others_commits_at_once(engine: str, tmp_path: Path) -> None:
    database = open_database(engine, tmp_path)
    try:
        await database.transact(executing("CREATE TABLE notes (id TEXT, text TEXT)"))
        await database.transact(executing(INSERT, "mine", ""))
        other = await asyncio.to_thread(run_python, WRITE_ONE, engine, tmp_path, "yours")
        assert other.lines == ["[('mine',), ('yours',)]"], other.errors
        assert await count(database) == 2
    finally:
        await database.close()


async def test_a_unit_that_raises_is_taken_back_alone(database: Database) -> None:
    async def failing(tx: Transaction) -> None:
        await tx.execute(INSERT, "bad", "")
        raise ValueError("its own")

    units = [
        database.transact(failing if number % 10 == 5 else executing(INSERT, f"{number}", ""))
        for number in range(100)
    ]
    results = await asyncio.gather(*units, return_exceptions=True)
    assert [str(got) for got in results] == [
        "its own" if number % 10 == 5 else "1" for number in range(100)
    ]
    assert await count(database) == 90


@pytest.mark.parametrize("error", [TimeoutError("a kind of OSError"), asyncio.CancelledError()])
async def test_whatever_a_unit_raises_is_raised_where_it_was_asked_for(
    database: Database, error: BaseException
) -> None:
    async def failing(tx: Transaction) -> None:
        await tx.execute(INSERT, "bad", "")
        raise error

    units = [database.transact(executing(INSERT, f"{number}", "")) for number in range(3)]
    told, *others = await asyncio.gather(
        database.transact(failing), *units, return_exceptions=True
    )
    assert type(told) is type(error)
    assert others == [1, 1, 1]
    assert await count(database) == 3


async def test_a_failing_statement_takes_back_its_unit_alone(database: Database) -> None:
    async def twice(tx: Transaction) -> None:
        await tx.execute(INSERT, "a", "")
        await tx.execute(INSERT, "a", "")

    told, other = await asyncio.gather(
        database.transact(twice),
        database.transact(executing(INSERT, "b", "")),
        return_exceptions=True,
    )
    assert isinstance(told, Exception)
    assert not isinstance(told, StoreUnavailableError), "our own fault, not the machine's"
    assert other == 1
    assert await database.fetch("SELECT id FROM notes") == [("b",)]


async def test_a_caught_failure_leaves_the_rest_of_its_unit(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        await tx.execute(INSERT, "a", "")
        inserted = await tx.execute(f"{INSERT} ON CONFLICT DO NOTHING", "a", "")
        await tx.execute(INSERT, "b", str(inserted))

    await database.transact(work)
    assert await database.fetch("SELECT id, text FROM notes ORDER BY id") == [
        ("a", ""),
        ("b", "0"),
    ]


async def test_an_engine_that_promises_an_order_keeps_it(database: Database) -> None:
    if not database.in_order:
        pytest.skip("it writes side by side, and says so")

    def append(letter: str) -> str:
        return (
            "INSERT INTO notes (id, text) VALUES ('log', '"
            f"{letter}') ON CONFLICT (id) DO UPDATE SET text = notes.text || excluded.text"
        )

    letters = [chr(97 + number % 26) for number in range(300)]
    await asyncio.gather(*(database.transact(executing(append(letter))) for letter in letters))
    assert await database.fetch("SELECT text FROM notes") == [("".join(letters),)]


async def test_a_unit_sees_those_before_it_that_locked_the_same(database: Database) -> None:
    async def increment(tx: Transaction) -> int:
        await tx.lock("notes")
        rows = await tx.fetch(COUNT)
        await tx.execute(INSERT, f"{rows[0][0]}", "")
        return int(rows[0][0])

    seen = await asyncio.gather(*(database.transact(increment) for _ in range(1000)))
    assert sorted(seen) == list(range(1000)), "each decided on what was there at that moment"


async def test_who_stops_waiting_does_not_disturb_the_others(database: Database) -> None:
    tasks = [
        asyncio.ensure_future(database.transact(executing(INSERT, f"{number}", "")))
        for number in range(20)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[1::2] == [1] * 10
    assert await database.transact(executing(INSERT, "later", "")) == 1
    # What was submitted is written, whoever still waits; where several units run, in any order.
    async with asyncio.timeout(10):
        while await count(database) < 21:  # noqa: ASYNC110 - the store's own tasks
            await asyncio.sleep(0.01)
    assert await count(database) == 21


async def test_closing_finishes_what_was_submitted(
    database: Database, open_another: Callable[[], Database]
) -> None:
    reader = open_another()
    tasks = [
        asyncio.ensure_future(database.transact(executing(INSERT, f"{number}", "")))
        for number in range(600)
    ]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*tasks) == [1] * 600
    assert await count(reader) == 600


async def test_a_closed_store_says_so_and_may_be_closed_again(database: Database) -> None:
    await database.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await asyncio.wait_for(database.transact(executing(INSERT, "a", "")), 5)
    with pytest.raises(StoreUnavailableError, match="closed"):
        await database.execute(INSERT, "a", "")
    with pytest.raises(StoreUnavailableError, match="closed"):
        await database.fetch(COUNT)
    await database.close()


async def test_what_comes_while_it_closes_is_refused_and_does_not_wait(database: Database) -> None:
    closing = asyncio.ensure_future(database.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailableError, match="closed"):
        await asyncio.wait_for(database.transact(executing(INSERT, "a", "")), 5)
    await closing


async def test_who_stops_waiting_for_the_close_disturbs_no_unit(
    database: Database, open_another: Callable[[], Database]
) -> None:
    reader = open_another()
    tasks = [
        asyncio.ensure_future(database.transact(executing(INSERT, f"{number}", "")))
        for number in range(600)
    ]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(database.close())
    await asyncio.sleep(0)
    closing.cancel()
    assert await asyncio.wait_for(asyncio.gather(*tasks), 30) == [1] * 600
    assert await count(reader) == 600


async def test_a_store_in_order_has_no_damage(database: Database) -> None:
    await database.transact(executing(INSERT, "a", ""))
    assert await database.find_damage() is None


async def test_a_store_in_order_is_not_told_to_have_failed(database: Database) -> None:
    failed = asyncio.ensure_future(database.wait_failed())
    await database.transact(executing(INSERT, "a", ""))
    assert not failed.done()
    failed.cancel()
