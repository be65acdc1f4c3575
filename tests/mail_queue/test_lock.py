import os
import signal
import stat
from pathlib import Path

import pytest

from smarthost.database.engine import StoreUnavailableError
from smarthost.mail_queue.lock import DeliveryLock
from tests.processes import start_python

HOLD = """
import subprocess, sys
from pathlib import Path
from smarthost.mail_queue.lock import DeliveryLock

lock = DeliveryLock(Path(sys.argv[1]))
print(lock.acquire(), flush=True)
child = subprocess.Popen(["sleep", "60"], close_fds=False)
print(child.pid, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "delivery.lock"


def test_one_at_a_time_holds_it(path: Path) -> None:
    first, second = DeliveryLock(path), DeliveryLock(path)
    assert first.acquire()
    assert first.acquire(), "whoever has it keeps it"
    assert not second.acquire()
    first.release()
    assert second.acquire()
    assert not first.acquire()
    second.release()
    second.release()


def test_the_file_is_ours_alone_and_stays(path: Path) -> None:
    lock = DeliveryLock(path)
    lock.acquire()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lock.release()
    assert path.exists()


def test_a_folder_that_is_missing_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"missing/delivery\.lock cannot be opened"):
        DeliveryLock(tmp_path / "missing" / "delivery.lock").acquire()


def test_it_ends_with_its_process_even_if_a_child_lives_on(path: Path) -> None:
    holder = start_python(HOLD, path)
    assert holder.stdout is not None
    lines = [holder.stdout.readline().strip() for _ in range(2)]
    try:
        assert lines[0] == "True"
        assert not DeliveryLock(path).acquire()
        holder.kill()
        holder.wait(timeout=10)
        taken = DeliveryLock(path)
        assert taken.acquire()
        taken.release()
    finally:
        holder.kill()
        os.kill(int(lines[1]), signal.SIGKILL)
        holder.communicate(timeout=10)
