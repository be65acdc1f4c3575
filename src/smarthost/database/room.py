"""How much room a disk has left, and how much of it is not for everybody.

What was accepted has to end some day, and its end has to be written down: so nothing new is taken
in before the disk is really full.
"""

import os
from pathlib import Path

from smarthost.database.engine import StoreFullError

RESERVE_OCTETS = 64 * 1024 * 1024
_RESERVED_PART = 20  # of a small disk: a twentieth


def check_room(file: Path, octets: int) -> None:
    """Return if a change of that many octets leaves the reserve of the disk of `file` untouched.

    Each octet counts twice: it goes to the log first, and at the next checkpoint into the file.
    So does what is in SQLite's log already: without room for it no outcome could be kept.
    Raises `StoreFullError`, and `OSError` where the disk does not tell.
    """
    _check(file.parent, 2 * octets + _size(file.with_name(f"{file.name}-wal")))


def check_room_for_copy(folder: Path, octets: int) -> None:
    """Return if a new file of that many octets leaves the reserve of the disk untouched.

    It may be the disk of the database. Raises `StoreFullError`, and `OSError` where the disk does
    not tell.
    """
    _check(folder, octets)


def _check(folder: Path, octets: int) -> None:
    disk = os.statvfs(folder)
    size, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
    reserve = min(RESERVE_OCTETS, size // _RESERVED_PART)
    # A file system without a size of its own has no end that could be told.
    if size and free < reserve + octets:
        raise StoreFullError(
            f"The disk of {folder} has {free >> 20} MiB left, of which {reserve >> 20} MiB "
            "are kept for what is under way. Free some space; nothing was lost."
        )


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0
