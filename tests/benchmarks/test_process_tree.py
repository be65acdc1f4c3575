"""The CPU of a process that ran in threads, in children, and in children that have ended."""

import subprocess
import sys

import pytest

from benchmarks.process_tree import cpu_seconds, most_memory

_BURN = """
import subprocess, sys, threading, time
def burn():
    until = time.thread_time() + 0.2
    while time.thread_time() < until: pass
thread = threading.Thread(target=burn)
thread.start()
thread.join()
child = "import time\\nwhile time.process_time() < 0.2: pass"
subprocess.run([sys.executable, "-c", child], check=True)
held = [sys.executable, "-c", child + "\\nprint(flush=True)\\ninput()"]
with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
    living.stdout.readline()
    block = bytearray(b"x") * (50 << 20)
    print(flush=True)
    input()
    living.stdin.close()
"""


def test_threads_children_and_ended_children_count() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        assert 0.6 <= cpu_seconds(process.pid) < 2.0
        memory = most_memory(process.pid)
        assert memory.processes == 2
        assert 50 < memory.largest < memory.together
        process.stdin.close()


def test_a_process_that_is_not_there_is_no_idle_one() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(ProcessLookupError):
        cpu_seconds(process.pid)
