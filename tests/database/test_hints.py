"""Hints between processes on one PostgreSQL: heard by all others, and missed without harm."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from smarthost.clock import SystemClock
from smarthost.database.hints import Hints
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.secret import Secret
from tests.engines import make_database

pytestmark = pytest.mark.needs("postgres")

LISTENING = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"


class Node:
    """A process that tells and hears."""

    def __init__(self, url: str, name: str) -> None:
        self.database = PostgresqlDatabase(Secret(url))
        self.hints = Hints(self.database, name, SystemClock(), lambda: 0.1)
        self.woken = asyncio.Event()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        listening = asyncio.create_task(self.hints.listen(self.woken.set))
        await self.is_woken()  # by what may have been told before
        try:
            yield
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening

    async def is_woken(self) -> None:
        async with asyncio.timeout(10):
            await self.woken.wait()
        self.woken.clear()


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[list[Node]]:
    url = make_database(tmp_path)
    made = [Node(url, name) for name in ("one", "two", "three")]
    yield made
    for node in made:
        await node.database.close()


async def test_all_but_the_one_that_tells_hear_it(nodes: list[Node]) -> None:
    one, two, three = nodes
    async with one.listening(), two.listening(), three.listening():
        one.hints.tell()
        await two.is_woken()
        await three.is_woken()
        two.hints.tell()
        await one.is_woken()
        await three.is_woken()
        assert not two.woken.is_set()


async def test_what_comes_close_together_is_one_hint(nodes: list[Node]) -> None:
    one, two, _ = nodes
    async with two.listening():
        heard = 0

        def hear(*_: object) -> None:
            nonlocal heard
            heard += 1

        connection = await two.database.connect()
        await connection.add_listener("smarthost_mail", hear)
        for _ in range(100):
            one.hints.tell()
        await two.is_woken()
        one.hints.tell()
        await two.is_woken()
        await connection.fetch("SELECT 1")
        await connection.close(timeout=5)
    assert heard in (1, 2)


async def test_who_loses_the_session_hears_again_by_itself(nodes: list[Node]) -> None:
    one, two, _ = nodes
    async with two.listening():
        ((session,),) = await one.database.fetch(LISTENING)
        await one.database.fetch("SELECT pg_terminate_backend($1)", session)
        await two.is_woken()  # it looks once it listens again
        one.hints.tell()
        await two.is_woken()


async def test_a_server_that_is_away_is_nobodys_harm(nodes: list[Node]) -> None:
    one, *_ = nodes
    await one.database.close()
    one.hints.tell()
    assert one.hints._telling is not None
    await asyncio.wait_for(one.hints._telling, 10)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(one.hints.listen(one.woken.set), 0.05)
    assert not one.woken.is_set()
