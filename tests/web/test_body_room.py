"""Room for large bodies: never exceeded, everybody gets a turn, and nobody waits for ever."""

import asyncio
from http import HTTPStatus

import pytest

from smarthost.web.body_room import ROOM, BodyRoom
from smarthost.web.content import LARGEST_BODY
from smarthost.web.emails.family import LARGEST_BODY as LARGEST_EMAIL
from smarthost.web.errors import RequestError

MIB = 1 << 20


def test_the_largest_body_finds_room() -> None:
    assert LARGEST_EMAIL <= ROOM


async def test_no_more_than_the_room_is_taken_and_each_has_its_turn() -> None:
    room = BodyRoom(10 * MIB)
    taken, most, order = 0, 0, []

    async def take(octets: int) -> None:
        nonlocal taken, most
        async with room.taken(octets):
            order.append(octets // MIB)
            taken += octets
            most = max(most, taken)
            await asyncio.sleep(0)
            taken -= octets

    sizes = [6, 10, 1, 9, 2, 10, 3, 3, 3]
    await asyncio.gather(*(take(size * MIB) for size in sizes))

    assert order == sizes
    assert most <= 10 * MIB


async def test_a_small_body_waits_for_nobody() -> None:
    room = BodyRoom(MIB, patience_seconds=0.01)
    async with room.taken(MIB), room.taken(LARGEST_BODY), room.taken(0):
        pass


async def test_without_room_the_request_is_refused_after_a_while_and_room_comes_back() -> None:
    room = BodyRoom(MIB, patience_seconds=0.01)
    async with room.taken(MIB):
        with pytest.raises(RequestError) as caught:
            async with room.taken(MIB):
                pass
    assert caught.value.status is HTTPStatus.SERVICE_UNAVAILABLE
    assert caught.value.headers["Retry-After"] == "5"

    with pytest.raises(ZeroDivisionError):
        async with room.taken(MIB):
            raise ZeroDivisionError
    async with room.taken(MIB):
        pass


async def test_whoever_goes_away_while_waiting_leaves_the_room_as_it_was() -> None:
    room = BodyRoom(MIB)

    async def take() -> None:
        async with room.taken(MIB):
            await asyncio.Event().wait()

    first, second = asyncio.create_task(take()), asyncio.create_task(take())
    await asyncio.sleep(0)
    for task in (second, first):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with room.taken(MIB):
        pass
