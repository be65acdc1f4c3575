"""A network of a test's own: nothing of the machine's is in it but the programs.

A thread leaves for a network namespace and takes along what it starts; the namespace goes when it
ends. There a way can be missing, and port 53 is free.
"""

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000  # unshare(2)
_PATIENCE = 60.0
_LOOPBACK_UP = ("link", "set", "lo", "up")


def apart(work: Callable[[], T], *changes: Sequence[str]) -> T:
    """Do something where only loopback is up, and after each of `changes`, as ip(8) takes them.

    Skips the test where that is not allowed.
    """
    if os.geteuid() != 0:
        pytest.skip("only root may have a network of its own")
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            _leave()
            for change in (_LOOPBACK_UP, *changes):
                subprocess.run(("ip", *change), check=True, timeout=_PATIENCE)
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def _leave() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        pytest.skip(f"no network of its own here: {os.strerror(ctypes.get_errno())}")
