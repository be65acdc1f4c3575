"""A file that a command writes for its owner alone, and only where there was none before."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from smarthost.cli.exit_codes import AlreadyThereError, RefusedError, UsageError

Write = Callable[[bytes], object]


@contextmanager
def new_file(path: Path) -> Iterator[Write]:
    """Give what writes into a new file of mode 0600: on the disk at the end, gone after an error.

    Raises `AlreadyThereError`, `UsageError` where it cannot be made, and `RefusedError` where it
    cannot be written.
    """
    with _made(path) as file:
        try:
            yield lambda octets: _write(file, path, octets)
            _sync(file, path)
        except BaseException:  # what is there in part looks like all of it
            path.unlink(missing_ok=True)
            raise


def _made(path: Path) -> FileIO:
    try:
        return open(path, "xb", buffering=0, opener=_for_the_owner)
    except FileExistsError:
        raise AlreadyThereError(f"{path} is there already. Name a file that is not.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror}.") from error


def _write(file: FileIO, path: Path, octets: bytes) -> None:
    try:
        while octets:
            octets = octets[file.write(octets) :]
    except OSError as error:
        raise _unwritable(path, error) from error


def _sync(file: FileIO, path: Path) -> None:
    try:
        os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> RefusedError:
    return RefusedError(f"{path} cannot be written: {error.strerror}. It was removed again.")


def _for_the_owner(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
