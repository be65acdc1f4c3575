"""Turns at the end point of tokens, for processes on several machines."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smarthost.app.server_token_turns import ServerTokenTurns
from smarthost.app.token_turns import MOST_SECONDS
from smarthost.clock import SystemClock
from smarthost.database.postgresql import PostgresqlDatabase
from smarthost.delivery.bearer_token import NoToken, NoTokenError
from smarthost.secret import Secret
from tests.clocks import FakeClock
from tests.engines import make_database

pytestmark = pytest.mark.needs("postgres")


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[list[PostgresqlDatabase]]:
    url = Secret(make_database(tmp_path))
    made = [PostgresqlDatabase(url), PostgresqlDatabase(url)]
    yield made
    for node in made:
        await node.close()


async def test_one_at_a_time_has_a_portals_turn(nodes: list[PostgresqlDatabase]) -> None:
    turns = [ServerTokenTurns(node, SystemClock()) for node in nodes]
    inside = most = 0

    async def take(number: int) -> None:
        nonlocal inside, most
        of_node = turns[number % 2]
        async with of_node.turn("portal-1"):
            inside += 1
            most = max(most, inside)
            async with of_node.turn(f"portal of {number}"):
                pass
            inside -= 1

    async with asyncio.timeout(20):
        await asyncio.gather(*map(take, range(4)))
    assert most == 1


async def test_nobody_waits_for_ever(nodes: list[PostgresqlDatabase]) -> None:
    clock = FakeClock()
    began = clock.monotonic()
    async with ServerTokenTurns(nodes[0], SystemClock()).turn("portal-1"):
        with pytest.raises(NoTokenError, match="does not end") as none:
            async with ServerTokenTurns(nodes[1], clock).turn("portal-1"):
                pass
    assert none.value.why is NoToken.UNAVAILABLE
    assert clock.monotonic() - began >= MOST_SECONDS


async def test_a_server_that_is_away_is_told(nodes: list[PostgresqlDatabase]) -> None:
    await nodes[0].close()
    with pytest.raises(NoTokenError, match="store") as none:
        async with ServerTokenTurns(nodes[0], SystemClock()).turn("portal-1"):
            pass
    assert none.value.why is NoToken.UNAVAILABLE
