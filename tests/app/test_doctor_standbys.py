"""What is said of standbys, by a user with rights and by one without, at real servers."""

from collections.abc import Iterator

import pytest

from smarthost.app.doctor_standbys import check_standbys, judge_standbys
from smarthost.app.finding import Finding
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.database.postgresql_standbys import Standbys, standbys_of
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
    assert told.message == "Those that may be waited for are connected: 1 of 1."
    assert "GRANT pg_read_all_stats" in not_told.message


@pytest.mark.needs("postgres")
async def test_one_that_is_not_waited_for_is_a_fault_where_it_is_to_take_over(pair: Pair) -> None:
    pair.wait_for("")
    await assert_not_waited_for(pair)
    pair.wait_for("*")
    pair.primary.run_sql("ALTER DATABASE postgres SET synchronous_commit = 'local'")
    await assert_not_waited_for(pair)
    pair.primary.run_sql("ALTER DATABASE postgres RESET synchronous_commit")


async def assert_not_waited_for(pair: Pair) -> None:
    for user in ("smarthost", "plain"):
        counting_on_it = await said(pair.url("postgres"), user)
        assert not counting_on_it.ok
        assert "Set synchronous_standby_names" in counting_on_it.message
        alone = await said(pair.primary.url("postgres"), user)
        assert alone.ok
        assert "is lost with its machine. Connected: 1." in alone.message


@pytest.mark.needs("postgres")
async def test_fewer_than_a_commit_waits_for_confirm_nothing(pair: Pair) -> None:
    for names in ("ANY 2 (*)", "first 2 (x, *)", " 2(*)"):
        pair.wait_for(names)
        for user in ("smarthost", "plain"):
            found = await said(pair.primary.url("postgres"), user)
            assert not found.ok
            assert "2 at a time, of which 1 are connected" in found.message
    for names in ("x, *", "ANY 1 (*)", '"2 (", *'):
        pair.wait_for(names)
        assert (await said(pair.primary.url("postgres"))).ok
    pair.wait_for("*")


@pytest.mark.needs("postgres")
@pytest.mark.parametrize("view", ["pg_stat_replication", "pg_replication_slots"])
async def test_a_server_that_does_not_tell_is_taken_as_it_is(pair: Pair, view: str) -> None:
    pair.primary.run_sql(f"REVOKE SELECT ON pg_catalog.{view} FROM PUBLIC")
    found = await said(pair.primary.url("postgres"), "plain")
    assert (found.ok, found.message) == (True, "The server does not tell what standbys it has.")
    pair.primary.run_sql(f"GRANT SELECT ON pg_catalog.{view} TO PUBLIC")


@pytest.mark.needs("postgres")
async def test_a_service_without_the_view_does_not_tell(pair: Pair) -> None:
    database = PostgresqlDatabase(Secret(pair.primary.url("postgres")))
    pair.primary.run_sql("ALTER VIEW pg_catalog.pg_stat_replication RENAME TO none_such")
    try:
        assert await standbys_of(database) is None
    finally:
        pair.primary.run_sql("ALTER VIEW pg_catalog.none_such RENAME TO pg_stat_replication")
        await database.close()


@pytest.mark.parametrize(
    ("needed", "connected", "synchronous", "is_told"),
    [(1, 0, 0, True), (1, 0, 0, False), (1, 2, 0, True), (2, 2, 1, True), (2, 1, 0, False)],
)
def test_a_server_that_waits_for_nobody_there_confirms_nothing(
    needed: int, connected: int, synchronous: int, is_told: bool
) -> None:
    found = judge_standbys(Standbys(needed, connected, synchronous, is_told), servers=1)
    assert not found.ok
    assert "all mail waits" in found.message


def test_a_server_without_a_standby_is_told_as_it_is() -> None:
    assert judge_standbys(Standbys(0, 0, 0, True), servers=1).ok
    assert not judge_standbys(Standbys(0, 0, 0, True), servers=2).ok
