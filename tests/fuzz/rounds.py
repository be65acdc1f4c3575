"""Rounds of the fuzzer, each in a process of its own: it ends its process, and follows imports."""

import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def new_seed() -> int:
    return secrets.randbelow(2**31 - 1) + 1


def round_of(name: str, *options: str, at_most: float) -> subprocess.CompletedProcess[str]:
    """Run `tests.fuzz.run`; its two outputs come as one. It is ended after `at_most` seconds."""
    return ended([sys.executable, "-m", "tests.fuzz.run", name, *options], at_most=at_most)


def ended(command: list[str], *, at_most: float) -> subprocess.CompletedProcess[str]:
    """Run a program from the root, with a folder for what it leaves that goes with it."""
    with tempfile.TemporaryDirectory(prefix="smarthost-fuzz-") as folder:
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=at_most,
            check=False,
        )
