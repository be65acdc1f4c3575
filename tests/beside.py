"""Servers of a test that run in a thread, on a loop of their own, beside whoever has none."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")

_PATIENCE = 30.0


@contextmanager
def beside(context: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Enter `context` there and leave it at the end; raises what either has raised.

    All that was left under way is cancelled then, and has come to its end.
    """
    entered: list[T] = []
    raised: list[BaseException] = []
    ready = threading.Event()
    loop, over = asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with context as value:
            entered.append(value)
            ready.set()
            await over.wait()

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(run())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            raised.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=work, name="beside", daemon=True)
    thread.start()
    assert ready.wait(_PATIENCE)
    try:
        if entered:
            yield entered[0]
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(over.set)
        thread.join(_PATIENCE)
    if raised:
        raise raised[0]
