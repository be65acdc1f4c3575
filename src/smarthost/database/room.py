"""How much room a disk has left, and how much of it is not for everybody.

What was accepted has to end some day, and its end has to be written down: so nothing new is taken
in before the disk is really full.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from smarthost.database.engine import StoreFullError

RESERVE_OCTETS = 64 * 1024 * 1024
_RESERVED_PART = 20  # of a small disk: a twentieth
_KNOWN_SECONDS = 0.1
# Octets beside the reserve: with less, somebody else might fill the disk within that time.
_AMPLE = 1 << 30
_ENDLESS = 1 << 60


class Room:
    """How much may still be taken in, looked at anew after a moment or when it was used up.

    Asking the system for each message costs more than writing some of its rows.
    """

    def __init__(self, file: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`file` is the database's."""
        self._file = file
        self._monotonic = monotonic
        self._left = 0
        self._until = float("-inf")

    def take(self, octets: int) -> None:
        """Return if a change of that many octets leaves the reserve of the disk untouched.

        Each octet counts twice: it goes to the log first, and at the next checkpoint into the
        file. So does what is in SQLite's log already: without room for it no outcome could be
        kept. Raises `StoreFullError`, and `OSError` where the disk does not tell.
        """
        needed = 2 * octets
        if self._left - needed < _AMPLE or self._monotonic() >= self._until:
            self._look(needed)
        self._left -= needed

    def _look(self, needed: int) -> None:
        log = _size(self._file.with_name(f"{self._file.name}-wal"))
        self._left = _checked(self._file.parent, needed + log) + needed
        self._until = self._monotonic() + _KNOWN_SECONDS


def check_room_for_copy(folder: Path, octets: int) -> None:
    """Return if a new file of that many octets leaves the reserve of the disk untouched.

    It may be the disk of the database. Raises `StoreFullError`, and `OSError` where the disk does
    not tell.
    """
    _checked(folder, octets)


def _checked(folder: Path, octets: int) -> int:
    """Return how many octets there is room for beside these."""
    disk = os.statvfs(folder)
    size, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
    if not size:  # a file system without a size of its own has no end that could be told
        return _ENDLESS
    reserve = min(RESERVE_OCTETS, size // _RESERVED_PART)
    if free < reserve + octets:
        raise StoreFullError(
            f"The disk of {folder} has {free >> 20} MiB left, of which {reserve >> 20} MiB "
            "are kept for what is under way. Free some space; nothing was lost."
        )
    return free - reserve - octets


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0
