"""A network of one's own: nothing of the machine's is in it but the programs.

There port 53 is free, a way can be missing or lead elsewhere, and names are asked for at
127.0.0.1. A thread leaves for it, which root alone may, or a program is started in it; it goes
when they end.
"""

import ctypes
import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest

T = TypeVar("T")
Change = Sequence[str]
"""As ip(8) takes it."""

_CLONE_NEWNS, _CLONE_NEWNET = 0x00020000, 0x40000000  # unshare(2)
_PATIENCE = 60.0
_FILES = {
    # Asked once, for a second: the C library would wait for ten.
    "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    "nsswitch.conf": "hosts: files dns\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
}


def apart(work: Callable[[], T], *changes: Change) -> T:
    """Do something where only loopback is up, and after each of `changes`.

    Skips the test where that is not allowed.
    """
    if os.geteuid() != 0:
        pytest.skip("only root may have a network of its own")
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            _leave()
            with TemporaryDirectory() as folder:
                line = ("sh", "-c", _moving_in(Path(folder), changes))
                subprocess.run(line, check=True, timeout=_PATIENCE)
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]


def way_in(folder: Path, *changes: Change) -> Sequence[str]:
    """Return what starts a command there, after each of `changes`; `folder` is to outlive it.

    Skips the test where that is not allowed. Whoever runs it need not be root.
    """
    command = (
        *("unshare", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"),
        *("sh", "-c", _moving_in(folder, changes) + 'exec "$@"', "sh"),
    )
    tried = subprocess.run([*command, "true"], capture_output=True, timeout=_PATIENCE, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no network of one's own here: {tried.stderr.decode()}")
    return command


def _leave() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET | _CLONE_NEWNS) != 0:
        pytest.skip(f"no network of its own here: {os.strerror(ctypes.get_errno())}")


def _moving_in(folder: Path, changes: Sequence[Change]) -> str:
    """Return the script that makes a new network a home, by files in `folder`."""
    lines = ["set -e", "mount --make-rprivate /", "ip link set lo up"]
    lines += [shlex.join(("ip", *change)) for change in changes]
    for name, content in _FILES.items():
        (folder / name).write_text(content, encoding="ascii")
        lines.append(shlex.join(("mount", "--bind", str(folder / name), f"/etc/{name}")))
    return "\n".join([*lines, ""])
