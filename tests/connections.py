"""Sees every connection that this process asks the system for, whatever our own code says of it.

The interpreter tells its audit hooks of each `connect` before it happens. uvloop connects past the
interpreter, so this is for tests on asyncio's own loop.
"""

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def watched_connections() -> Iterator[list[object]]:
    """Give the list of addresses that were to be connected to, which grows."""
    seen: list[object] = []
    watching = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "socket.connect":
            seen.append(arguments[1])

    sys.addaudithook(hook)  # for good; it only turns deaf
    try:
        yield seen
    finally:
        watching = False
