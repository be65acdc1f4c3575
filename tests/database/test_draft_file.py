import os
import time
from pathlib import Path

import pytest

from smarthost.database.draft_file import TargetExistsError, new_file
from tests.processes import injecting, need_tracing, run_python, start_python

LEAVE_A_DRAFT = """
import sys
from pathlib import Path
from smarthost.database.draft_file import new_file

with new_file(Path(sys.argv[1])) as draft:
    draft.write_bytes(b"half")
    print("written", flush=True)
    sys.stdin.readline()
"""
WRITE = """
import sys
from pathlib import Path
from smarthost.database.draft_file import TargetExistsError, new_file

sys.stdin.readline()
try:
    with new_file(Path(sys.argv[1])) as draft:
        draft.write_bytes(sys.argv[2].encode())
    print("won")
except TargetExistsError:
    print("lost")
"""


def test_it_has_its_name_once_it_is_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    umask = os.umask(0)
    try:
        with new_file(target) as draft:
            assert draft.stat().st_mode & 0o777 == 0o600
            draft.write_bytes(b"whole")
            assert not target.exists()
    finally:
        os.umask(umask)
    assert target.read_bytes() == b"whole"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_what_is_raised_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), new_file(tmp_path / "copy") as draft:
        draft.mkdir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("left", ["file", "link", "folder"])
def test_what_is_there_is_never_replaced(tmp_path: Path, left: str) -> None:
    target = tmp_path / "copy"
    if left == "file":
        target.write_bytes(b"mine")
    elif left == "link":
        target.symlink_to("nowhere")
    else:
        target.mkdir()
    with pytest.raises(TargetExistsError, match="is there already"), new_file(target):
        pytest.fail("nothing is begun")
    assert list(tmp_path.iterdir()) == [target]


def test_what_comes_meanwhile_is_not_replaced_either(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    with pytest.raises(TargetExistsError), new_file(target):
        target.write_bytes(b"mine")
    assert target.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [target]


def test_processes_with_one_target_have_one_winner(tmp_path: Path) -> None:
    target = tmp_path / "copy"
    processes = [start_python(WRITE, target, number) for number in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=60) for process in processes]
    assert sorted(output for output, _ in ended) == ["lost\n"] * 3 + ["won\n"], ended
    assert target.read_text() == str([output for output, _ in ended].index("won\n"))
    assert list(tmp_path.iterdir()) == [target]


def test_the_drafts_of_the_dead_are_removed_and_those_of_the_living_stay(tmp_path: Path) -> None:
    dead, living = (start_python(LEAVE_A_DRAFT, tmp_path / name) for name in ("a", "b"))
    for process in (dead, living):
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
    dead.kill()
    dead.communicate(timeout=60)
    assert len(list(tmp_path.iterdir())) == 2
    with new_file(tmp_path / "c"):
        left = sorted(path.name[:3] for path in tmp_path.iterdir())
        assert left == [".b.", ".c."]
    _, errors = living.communicate("\n", timeout=60)
    assert errors == ""
    assert (tmp_path / "b").read_bytes() == b"half"


@pytest.mark.needs("strace")
def test_a_draft_that_another_one_took_for_dead_is_made_again(tmp_path: Path) -> None:
    """Between its making and its lock it looks as if nobody was there."""
    need_tracing()
    process = start_python(
        WRITE, tmp_path / "copy", "all", under=injecting("flock:delay_enter=500000:when=1")
    )
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    until = time.monotonic() + 60
    while not list(tmp_path.glob(".copy.*")):
        assert time.monotonic() < until
    with new_file(tmp_path / "other"):
        pass
    assert process.communicate(timeout=60) == ("won\n", "")
    assert (tmp_path / "copy").read_bytes() == b"all"
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600


@pytest.mark.needs("strace")
@pytest.mark.parametrize("error", ["EPERM", "EOPNOTSUPP"])
def test_a_file_system_without_links_will_do(tmp_path: Path, error: str) -> None:
    need_tracing()
    under = injecting(f"link,linkat:error={error}")
    process = start_python(WRITE, tmp_path / "copy", "all", under=under)
    assert process.communicate("\n", timeout=60) == ("won\n", "")
    assert (tmp_path / "copy").read_bytes() == b"all"
    again = run_python(WRITE, tmp_path / "copy", "other", under=under)
    assert again.lines == ["lost"]
