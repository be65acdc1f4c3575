"""The limit on test messages: five of a user within any quarter of an hour."""

import asyncio
from pathlib import Path

import pytest

from smarthost.clock import MICROSECONDS
from smarthost.database.engine import Database
from smarthost.ids import Ids
from smarthost.portals.model import Portal, Role, User
from smarthost.portals.store import PortalStore
from smarthost.relay_check.model import TooManyTestsError
from smarthost.relay_check.store import TrialStore
from tests.clocks import START
from tests.engines import open_database
from tests.mail_queue.clocks import HeldClock
from tests.relay_check.trials import BY

QUARTER = 15 * 60


async def test_the_sixth_request_within_a_quarter_of_an_hour_is_refused(
    store: TrialStore, user: User, clock: HeldClock
) -> None:
    for _ in range(5):
        await store.count_request(user)
        clock.advance(1)
    with pytest.raises(TooManyTestsError, match="at most 5 in 15 minutes") as refused:
        await store.count_request(user)
    assert refused.value.until == START + QUARTER * MICROSECONDS


async def test_the_window_slides_and_what_was_refused_does_not_count(
    store: TrialStore, user: User, clock: HeldClock
) -> None:
    for _ in range(5):
        await store.count_request(user)
        clock.advance(60)
    for _ in range(3):
        with pytest.raises(TooManyTestsError):
            await store.count_request(user)
    clock.advance(QUARTER - 5 * 60 - 0.001)
    with pytest.raises(TooManyTestsError):
        await store.count_request(user)
    clock.advance(0.001)
    await store.count_request(user)
    with pytest.raises(TooManyTestsError):
        await store.count_request(user)


async def test_each_user_has_a_limit_of_their_own(
    store: TrialStore, user: User, portals: PortalStore, portal: Portal
) -> None:
    other = await portals.create_user(portal.id, "b@example.org", Role.ADMINISTRATOR, None, BY)
    for _ in range(5):
        await store.count_request(user)
    await store.count_request(other)


async def test_the_limit_holds_in_every_process(
    store: TrialStore, user: User, database: Database, clock: HeldClock
) -> None:
    other = TrialStore(database, clock, Ids(clock))
    for _ in range(5):
        await store.count_request(user)
    with pytest.raises(TooManyTestsError):
        await other.count_request(user)


async def test_however_many_processes_are_asked_at_once_five_are_let_through(
    store: TrialStore, user: User, database: Database, clock: HeldClock, tmp_path: Path
) -> None:
    elsewhere = open_database(database.dialect, tmp_path)
    stores = [store, TrialStore(elsewhere, clock, Ids(clock))]
    asked = (stores[number % 2].count_request(user) for number in range(40))
    ended = await asyncio.gather(*asked, return_exceptions=True)
    await elsewhere.close()
    assert ended.count(None) == 5
    assert all(isinstance(one, TooManyTestsError) for one in ended if one is not None)


async def test_a_test_without_a_relay_is_remembered_until_the_next(
    store: TrialStore, portal: Portal, clock: HeldClock
) -> None:
    assert await store.without_relay(portal.id) is None
    first = await store.set_without_relay(portal.id)
    assert await store.without_relay(portal.id) == first
    clock.advance(1)
    second = await store.set_without_relay(portal.id)
    assert second.id != first.id
    assert await store.without_relay(portal.id) == second
