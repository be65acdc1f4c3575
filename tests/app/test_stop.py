"""A process that is asked to stop has itself left out first, and ends then."""

import asyncio

import pytest

from smarthost.app.stop import Stop
from tests.mail_queue.clocks import HeldClock


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


async def test_without_a_drain_it_stops_when_it_is_asked(clock: HeldClock) -> None:
    stop = Stop(0, clock)
    stop.ask()
    assert stop.begun.is_set()
    await stop.wait()


async def test_with_a_drain_it_says_so_and_goes_on_for_so_long(clock: HeldClock) -> None:
    stop = Stop(10, clock)
    waiting = asyncio.create_task(stop.wait())
    stop.ask()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await clock.is_slept_on()
    clock.advance(9.9)
    stop.ask()
    assert stop.asked.is_set()
    assert not stop.begun.is_set()
    clock.advance(0.2)
    await waiting
    assert stop.begun.is_set()


async def test_who_cannot_go_on_stops_at_once(clock: HeldClock) -> None:
    stop = Stop(10, clock)
    stop.begin()
    await stop.wait()
    assert stop.asked.is_set()
