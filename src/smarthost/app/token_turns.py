"""One at a time asks for the token of a portal.

A refresh token that is good for one use would be shown twice otherwise, by the service and by a
check at the command line, or for two revisions that share it. The locks are the kernel's
(fcntl(2)), one octet of a file for each portal: they end with the process that has them, however
that ends. Within a process, which the kernel never keeps out, this knows who has a turn.
"""

import errno
import fcntl
import os
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

from smarthost.clock import Clock
from smarthost.delivery.bearer_token import NoToken, NoTokenError

MOST_SECONDS = 15.0
"""How long a turn is waited for: longer than a request may take."""

TAKEN = "Another request for a token does not end."

_LOOK_SECONDS = 0.05
_TAKEN = frozenset({errno.EACCES, errno.EAGAIN})


class Turns(Protocol):
    """Gives turns."""

    def turn(self, portal_id: str) -> AbstractAsyncContextManager[None]:
        """Wait for the portal's turn and hold it. Raises `NoTokenError`."""
        ...


class TokenTurns:
    """Gives turns to all of one process, among those on one machine."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """`path` is a file on a local file system; it is made when needed and never removed."""
        self._path = path
        self._clock = clock
        self._file: int | None = None
        self._in_use = 0
        self._places: set[int] = set()

    @asynccontextmanager
    async def turn(self, portal_id: str) -> AsyncIterator[None]:
        """Wait for the portal's turn and hold it. Raises `NoTokenError`."""
        place = zlib.crc32(portal_id.encode())
        with self._opened() as file:
            await self._take(file, place)
            try:
                yield
            finally:
                fcntl.lockf(file, fcntl.LOCK_UN, 1, place)
                self._places.discard(place)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the file once: closing one of two descriptors would let go the locks of both."""
        if self._file is None:
            with _locking(self._path):
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._in_use += 1
        try:
            yield self._file
        finally:
            self._in_use -= 1
            if not self._in_use:
                os.close(self._file)
                self._file = None

    async def _take(self, file: int, place: int) -> None:
        until = self._clock.monotonic() + MOST_SECONDS
        while not self._taken(file, place):
            if self._clock.monotonic() >= until:
                raise NoTokenError(NoToken.UNAVAILABLE, TAKEN)
            await self._clock.sleep(_LOOK_SECONDS)

    def _taken(self, file: int, place: int) -> bool:
        if place in self._places:
            return False
        with _locking(self._path):
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                return False
        self._places.add(place)
        return True


@contextmanager
def _locking(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoTokenError(
            NoToken.UNAVAILABLE, f"{path.name} cannot be locked: {error.strerror}."
        ) from error
