"""What the signals mean to a process with an event loop."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

Meanings = Mapping[signal.Signals, Callable[[], None]]


@contextlib.contextmanager
def handled(meanings: Meanings) -> Iterator[None]:
    """Call what each signal means when it comes, on the running loop."""
    loop = asyncio.get_running_loop()
    for number, meaning in meanings.items():
        loop.add_signal_handler(number, meaning)
    try:
        yield
    finally:
        for number in meanings:
            loop.remove_signal_handler(number)


async def unless(stopped: asyncio.Event, opening: Coroutine[Any, Any, T]) -> T | None:
    """Return what `opening` gives; None if the stop came first, which breaks it off.

    An upgrade of large tables may take an hour. Raises what `opening` raises.
    """
    task = asyncio.ensure_future(opening)
    waiting = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    return None if task.cancelled() else task.result()


def has_terminal() -> bool:
    """Whether somebody sits before it, so that SIGHUP says that the terminal is gone."""
    return sys.stdin is not None and sys.stdin.isatty()
