"""What the systemd unit takes from the program, taken from it without systemd.

The unit's lists of system calls, its address families and its ban on memory that is both written
and run are put into seccomp filters as systemd does it (systemd.exec(5)), and the program is
started under them: what it needs and may not have shows itself.
"""

import ctypes.util
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"

# seccomp_rule_add(3): SCMP_ACT_…, and the comparisons of struct scmp_arg_cmp. The numbers of
# families are the kernel's (linux/socket.h); those of memory are in mmap(2) and shmat(2).
_LAUNCHER = """
import ctypes, errno, json, os, sys

ALLOW, ERRNO = 0x7FFF0000, 0x00050000
EQUAL, MASKED_EQUAL = 4, 7
WRITE, EXECUTE, SHM_EXECUTE = 2, 4, 0o100000


class Compared(ctypes.Structure):
    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    ]


library, taken, command = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
seccomp = ctypes.CDLL(library)
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
seccomp.seccomp_rule_add_array.argtypes = [
    ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Compared)
]


def rule(context, action, name, *compared):
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number < 0:
        return  # of another architecture
    array = (Compared * len(compared))(*compared)
    assert seccomp.seccomp_rule_add_array(context, action, number, len(compared), array) == 0, name


calls = seccomp.seccomp_init(ERRNO | errno.EPERM)
for name in taken["allowed"]:
    rule(calls, ALLOW, name)

ways = seccomp.seccomp_init(ALLOW)
for family in set(range(46)) - set(taken["families"]):
    rule(ways, ERRNO | errno.EAFNOSUPPORT, "socket", Compared(0, EQUAL, family, 0))
both = WRITE | EXECUTE
for name, argument, mask in (
    ("mmap", 2, both),
    ("mprotect", 2, EXECUTE),
    ("pkey_mprotect", 2, EXECUTE),
    ("shmat", 2, SHM_EXECUTE),
):
    rule(ways, ERRNO | errno.EPERM, name, Compared(argument, MASKED_EQUAL, mask, mask))

assert seccomp.seccomp_load(ways) == 0
assert seccomp.seccomp_load(calls) == 0
os.execvp(command[0], command)
"""
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16}


def assignments(unit: str) -> dict[str, list[str]]:
    """Return what a unit assigns, in its order; an empty assignment forgets those before it."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / unit).read_text(encoding="utf-8").splitlines():
        name, is_assignment, value = line.partition("=")
        if is_assignment and not line.startswith(("#", "[")):
            found[name] = [*found.get(name, []), value] if value else []
    return found


def under(unit: str) -> list[str]:
    """Return the command to put before one that is to run as `unit` lets it.

    Leaves the test out where there is no libseccomp.
    """
    library = ctypes.util.find_library("seccomp")
    if library is None:
        pytest.skip("libseccomp is not installed")
    assigned = assignments(unit)
    assert assigned["MemoryDenyWriteExecute"] == ["yes"]
    (families,) = assigned["RestrictAddressFamilies"]
    taken = {
        "allowed": sorted(_allowed(assigned["SystemCallFilter"])),
        "families": [_FAMILIES[name] for name in families.split()],
    }
    return [sys.executable, "-c", _LAUNCHER, library, json.dumps(taken)]


def _allowed(lists: list[str]) -> set[str]:
    """Return the system calls of the first list without those of the lists that begin with `~`."""
    first, *without = lists
    allowed = set(_calls(*first.split(), "@default"))
    for names in without:
        assert names.startswith("~"), names
        allowed -= _calls(*names[1:].split()) - _calls("@default")
    return allowed


@cache
def _calls(*names: str) -> frozenset[str]:
    found: set[str] = set()
    for name in names:
        found |= _calls(*_members(name)) if name.startswith("@") else {name}
    return frozenset(found)


@cache
def _members(group: str) -> tuple[str, ...]:
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", group],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    lines = (line.strip() for line in listed.stdout.splitlines()[1:])
    return tuple(line for line in lines if line and not line.startswith("#"))
