"""Small programs of their own process: what one must not see of another, and what kills them."""

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
_PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended."""

    status: int
    lines: list[str]
    errors: str


def run_python(source: str, *arguments: object, under: Sequence[str] = ()) -> Ended:
    """Run Python `source` to its end, perhaps `under` another program."""
    with start_python(source, *arguments, under=under) as process:
        try:
            output, errors = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Ended(status=process.returncode, lines=output.splitlines(), errors=errors)


def start_python(
    source: str, *arguments: object, under: Sequence[str] = ()
) -> "subprocess.Popen[str]":
    """Start Python `source`; whoever starts it ends it."""
    return subprocess.Popen(
        [*under, sys.executable, "-c", source, *map(str, arguments)],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_ended(pids: Iterable[int]) -> None:
    """Return once nothing is left of processes but what their parents have not looked at."""
    until = time.monotonic() + _PATIENCE
    for pid in pids:
        while _runs(pid):
            assert time.monotonic() < until, f"process {pid} is still there"
            time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"  # proc(5)


def need_tracing() -> None:
    """Leave the test out where this machine lets no process trace another."""
    tried = subprocess.run(
        ["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, timeout=10, check=False
    )
    if tried.returncode != 0:
        pytest.skip("strace may not trace processes here")


def injecting(fault: str) -> list[str]:
    """The words that run a program with a fault, `call:what[:when]`, as strace(1) has it."""
    call = fault.partition(":")[0]
    words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    return [*words, "-e", f"inject={fault}"]
