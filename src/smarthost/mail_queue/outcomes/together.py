"""What comes for one key while something is written for it goes into the next write, all at once.

Whoever writes of a portal waits for its lock. So many connections of one portal would write one
after the other, each with a commit of its own; what waits anyway is cheaper written together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from smarthost.database.engine import StoreUnavailableError

MOST_TOGETHER = 64
"""How many are written at once at the most."""

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Key, Item, Result]):
    """Belongs to one event loop."""

    def __init__(self, write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]) -> None:
        """`write` gives a result for each of the items, which are of one key; or raises."""
        self._write = write
        self._waiting: dict[Key, list[tuple[Item, asyncio.Future[Result]]]] = {}
        self._writing: set[asyncio.Task[None]] = set()

    async def write(self, key: Key, item: Item) -> Result:
        """Return the item's result once it is written, whoever waits for it; or raise."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        if key in self._waiting:
            self._waiting[key].append((item, future))
        else:
            self._waiting[key] = [(item, future)]
            writing = asyncio.create_task(self._write_all(key))
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)
        return await future

    async def _write_all(self, key: Key) -> None:
        try:
            while waiting := self._waiting[key]:
                together, self._waiting[key] = waiting[:MOST_TOGETHER], waiting[MOST_TOGETHER:]
                await self._write_together(together)
        finally:
            del self._waiting[key]

    async def _write_together(self, together: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._write([item for item, _ in together])
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            # What is the store's doing meets all; a fault of one is not to stop the others.
            if isinstance(error, StoreUnavailableError) or len(together) == 1:
                for _, future in together:
                    if not future.done():
                        future.set_exception(error)
                return
            for one in together:
                await self._write_together([one])
            return
        for (_, future), result in zip(together, results, strict=True):
            if not future.done():
                future.set_result(result)
