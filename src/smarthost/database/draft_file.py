"""A large new file that has its name only once it is whole and on the disk.

Until then it is a draft beside its place, under a name that nobody takes for the file. A process
that dies leaves its draft behind, and the next one that writes into the folder removes it: a
living one is known by its lock, which the kernel lets go however a process ends.
"""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ENDING = ".smarthost-draft"

# What file systems without hard links answer (FAT, some network shares).
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


class TargetExistsError(Exception):
    """A file stands where a new one is to be; it was not touched."""


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Give the path of an empty draft (mode 0600), which becomes `target` at the end.

    What is raised inside removes the draft. Raises `TargetExistsError` at once or at the end, and
    `OSError`.
    """
    if os.path.lexists(target):
        raise _exists(target)
    _remove_dead_drafts(target.parent)
    draft, file = _made(target)
    try:
        yield draft
        os.fsync(file)
        _give_name(draft, target)
    finally:
        _remove(draft)
        os.close(file)
    _fsync_folder(target.parent)


def _made(target: Path) -> tuple[Path, int]:
    """Make a draft that is locked, and return it with its open file."""
    while True:
        draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_ENDING}")
        file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        _is_locked_by_us(file)
        # Before it was locked, another one may have taken it for a dead one's. Whoever writes to
        # the name would make a file then that others can read.
        if os.fstat(file).st_nlink:
            return draft, file
        os.close(file)


def _remove_dead_drafts(folder: Path) -> None:
    """Remove what processes that have died have left."""
    for draft in folder.glob(f".*{_ENDING}"):
        with contextlib.suppress(OSError):  # another one was first, or it is not ours to touch
            file = os.open(draft, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                if _is_locked_by_us(file):
                    _remove(draft)
            finally:
                os.close(file)


def _remove(draft: Path) -> None:
    """Remove a draft, and before it the journal that SQLite writes beside it."""
    for path in (draft.with_name(f"{draft.name}-journal"), draft):
        path.unlink(missing_ok=True)


def _is_locked_by_us(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody else has it, or the file system has no locks
        return False
    return True


def _give_name(draft: Path, target: Path) -> None:
    try:
        os.link(draft, target)  # unlike a rename it never replaces anything
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise _exists(target) from None
        draft.rename(target)


def _fsync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _exists(target: Path) -> TargetExistsError:
    return TargetExistsError(f"{target} is there already and was not touched. Choose a new name.")
