"""A disk that is soon full, for what a test does to a store on it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """Mount a disk of its own in memory below `folder`; skip the test where that is forbidden."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "smarthost-test", disk],
        capture_output=True,
        timeout=10,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("needs a small disk, which only root may mount")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], timeout=10, check=True)
