"""What the signals mean to a process with an event loop."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Mapping

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


def has_terminal() -> bool:
    """Whether somebody sits before it, so that SIGHUP says that the terminal is gone."""
    return sys.stdin is not None and sys.stdin.isatty()
