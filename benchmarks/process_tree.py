"""What a process and all that it has started cost: CPU exactly, memory at its most.

CPU of a process that lives is read from its CPU clock, which the kernel counts in nanoseconds over
all of its threads, and what ended and was waited for from `cutime` and `cstime` of its parent, as
`wait4` would tell it; those are hundredths of a second. Nothing has to be stopped for it.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_TRIES = 100
# Of what follows the name in /proc/<pid>/stat (proc(5)): field 4, and fields 16 and 17.
_PARENT, _ENDED_USER, _ENDED_SYSTEM = 1, 13, 14


class Memory(NamedTuple):
    """The most that was ever resident, in MiB."""

    together: float
    """Of all processes that live, each at its own moment; what they share counts for each."""
    largest: float
    processes: int


def cpu_seconds(root: int) -> float:
    """Return the seconds of CPU, user and system, of process `root` and its descendants.

    Raises `ProcessLookupError` where there is no such process.
    """
    for _ in range(_TRIES):
        before = _ended(root)
        try:
            living = sum(_clock(pid) for pid in before)
        except OSError:  # one has ended meanwhile
            continue
        if before == _ended(root):
            return living + sum(before.values()) / _TICKS
    raise RuntimeError("Processes come and go too fast to be counted.")


def most_memory(root: int) -> Memory:
    """Return the most memory of process `root` and its descendants."""
    found = [most for pid in _ended(root) if (most := _most_resident(pid))]
    return Memory(together=sum(found), largest=max(found), processes=len(found))


def proportional_memory(root: int) -> float:
    """Return MiB of process `root` and its descendants now; what several share counts once.

    Zero for those of whom the kernel does not tell it to this user.
    """
    return sum(_proportional(pid) for pid in _ended(root))


def _clock(pid: int) -> float:
    """Read the CPU clock of another process, as `clock_getcpuclockid(3)` names it."""
    return time.clock_gettime((~pid << 3) | 2)


def _proportional(pid: int) -> float:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:  # it has ended, or is another user's
        return 0.0
    lines = [line for line in rollup.splitlines() if line.startswith("Pss:")]
    return sum(int(line.split()[1]) / 1024 for line in lines)


def _most_resident(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return sum(int(line.split()[1]) / 1024 for line in lines)


def _ended(root: int) -> dict[int, int]:
    """Return the tree's processes, and the ticks of the children that each has waited for."""
    parents, ticks = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        pid = int(path.parent.name)
        parents[pid] = int(fields[_PARENT])
        ticks[pid] = int(fields[_ENDED_USER]) + int(fields[_ENDED_SYSTEM])
    if root not in parents:
        raise ProcessLookupError(f"There is no process {root}.")
    tree = {root}
    while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return {pid: ticks[pid] for pid in tree}
