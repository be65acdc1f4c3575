"""Runs a server beside a test, in a thread of its own.

Its time is the real one, while that of the program that is tried may pass quickly; and it outlives
the loop that the program runs on.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager

from tests.broken_setups.set_up import Place, Server, World


@contextmanager
def running(server: Server, world: World) -> Iterator[Place]:
    """Run a server; raises what goes wrong in it."""
    places: Future[Place] = Future()
    over: Future[None] = Future()

    async def serve() -> None:
        async with server.running(world) as place:
            places.set_result(place)
            await asyncio.wrap_future(over)

    with ThreadPoolExecutor(1) as threads:
        served = threads.submit(asyncio.run, serve())
        served.add_done_callback(lambda _: places.done() or places.cancel())
        try:
            yield places.result()
        except CancelledError:  # it has ended before it ran
            served.result()
            raise
        finally:
            over.set_result(None)
            served.result()
