"""What is said of standbys, by a user with rights and by one without, at real servers."""

from collections.abc import Iterator

import pytest

from smarthost.app.doctor_standbys import check_standbys, judge_standbys
from smarthost.app.finding import Finding
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_standbys import Standbys
from smarthost.secret import Secret
from tests.postgresql_pair import Pair, pair_of_servers


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with pair_of_servers() as made:
        made.primary.run_sql("CREATE ROLE plain LOGIN")
        yield made


async def said(url: str, user: str = "smarthost") -> Finding:
    secret = Secret(url.replace("smarthost@", f"{user}@", 1))
    database = PostgresqlDatabase(secret)
    try:
        return await check_standbys(database, secret)
    finally:
        await database.close()


@pytest.mark.needs("postgres")
async def test_a_standby_that_is_waited_for_is_good_whoever_asks(pair: Pair) -> None:
    both = pair.url("postgres")
    told, not_told = await said(both), await said(both, "plain")
    assert (told.ok, not_told.ok) == (True, True)
    assert told.message == "Those that may be waited for are connected: 1."
    assert "GRANT pg_read_all_stats" in not_told.message


@pytest.mark.needs("postgres")
async def test_one_that_is_not_waited_for_is_a_fault_where_it_is_to_take_over(pair: Pair) -> None:
    pair.wait_for("")
    await assert_not_waited_for(pair)
    pair.wait_for("*")
    pair.primary.run_sql("ALTER DATABASE postgres SET synchronous_commit = 'local'")
    await assert_not_waited_for(pair)


async def assert_not_waited_for(pair: Pair) -> None:
    for user in ("smarthost", "plain"):
        counting_on_it = await said(pair.url("postgres"), user)
        assert not counting_on_it.ok
        assert "Set synchronous_standby_names" in counting_on_it.message
        alone = await said(pair.primary.url("postgres"), user)
        assert alone.ok
        assert "is lost with its machine. Connected: 1." in alone.message


@pytest.mark.parametrize(
    ("connected", "synchronous", "is_told"), [(0, 0, True), (0, 0, False), (2, 0, True)]
)
def test_a_server_that_waits_for_nobody_there_confirms_nothing(
    connected: int, synchronous: int, is_told: bool
) -> None:
    found = judge_standbys(Standbys(True, connected, synchronous, is_told), servers=1)
    assert not found.ok
    assert "all mail waits" in found.message


def test_a_server_without_a_standby_is_told_as_it_is() -> None:
    assert judge_standbys(Standbys(False, 0, 0, True), servers=1).ok
    assert not judge_standbys(Standbys(False, 0, 0, True), servers=2).ok
