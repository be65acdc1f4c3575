"""What waits for one key is written at once, and each gets its own result or fault."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from smarthost.database.engine import StoreUnavailableError
from smarthost.mail_queue.outcomes.together import MOST_TOGETHER, Together


class Writer:
    """Remembers what it is handed at once; waits while it is told to."""

    def __init__(self, refuse: Callable[[Sequence[int]], None] = lambda _: None) -> None:
        self.handed: list[list[int]] = []
        self.go = asyncio.Event()
        self._refuse = refuse

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.handed.append(list(items))
        await self.go.wait()
        self._refuse(items)
        return [item * 2 for item in items]


async def until_handed(writer: Writer) -> None:
    for _ in range(10):
        await asyncio.sleep(0)
    assert writer.handed


async def handed(writer: Writer, items: int, *, to: Together[str, int, int]) -> list[object]:
    tasks = [asyncio.create_task(to.write("a key", 0))]
    await until_handed(writer)
    tasks += [asyncio.create_task(to.write("a key", item)) for item in range(1, items)]
    await asyncio.sleep(0)
    assert writer.handed == [[0]], "the others wait"
    writer.go.set()
    return list(await asyncio.gather(*tasks, return_exceptions=True))


async def test_what_waits_is_written_together_in_its_order() -> None:
    writer = Writer()
    together: Together[str, int, int] = Together(writer)
    assert await handed(writer, 5, to=together) == [0, 2, 4, 6, 8]
    assert writer.handed == [[0], [1, 2, 3, 4]]
    assert await together.write("a key", 7) == 14, "and on it goes"


async def test_no_more_than_so_many_are_written_at_once() -> None:
    writer = Writer()
    await handed(writer, MOST_TOGETHER + 2, to=Together(writer))
    assert list(map(len, writer.handed)) == [1, MOST_TOGETHER, 1]


async def test_another_key_waits_for_nothing() -> None:
    writer = Writer()
    together: Together[str, int, int] = Together(writer)
    tasks = [asyncio.create_task(together.write(key, 1)) for key in ("one", "another")]
    await until_handed(writer)
    assert writer.handed == [[1], [1]]
    writer.go.set()
    await asyncio.gather(*tasks)


async def test_a_fault_of_one_is_its_own() -> None:
    def refuse(items: Sequence[int]) -> None:
        if 2 in items:
            raise ValueError("a fault of ours")

    writer = Writer(refuse)
    results = await handed(writer, 4, to=Together(writer))
    assert [isinstance(result, ValueError) for result in results] == [False, False, True, False]
    assert writer.handed == [[0], [1, 2, 3], [1], [2], [3]]


async def test_a_store_that_is_away_is_told_to_all_and_asked_once() -> None:
    def refuse(items: Sequence[int]) -> None:
        if len(items) > 1:
            raise StoreUnavailableError("away")

    writer = Writer(refuse)
    results = await handed(writer, 4, to=Together(writer))
    assert results[0] == 0
    assert all(isinstance(result, StoreUnavailableError) for result in results[1:])
    assert writer.handed == [[0], [1, 2, 3]]


async def test_who_stops_waiting_takes_nothing_from_the_others() -> None:
    writer = Writer()
    together: Together[str, int, int] = Together(writer)
    tasks = [asyncio.create_task(together.write("a key", 0))]
    await until_handed(writer)
    tasks += [asyncio.create_task(together.write("a key", item)) for item in (1, 2)]
    await asyncio.sleep(0)
    for gone in tasks[:2]:
        gone.cancel()
    writer.go.set()
    assert await asyncio.wait_for(tasks[2], 1) == 4
    with pytest.raises(asyncio.CancelledError):
        await tasks[1]
    assert writer.handed == [[0], [1, 2]], "what was handed over is written all the same"
