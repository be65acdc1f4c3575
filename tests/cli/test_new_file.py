import stat
from pathlib import Path

import pytest

from smarthost.cli.exit_codes import AlreadyThereError, RefusedError, UsageError
from smarthost.cli.new_file import new_file
from tests.disks import small_disk


def test_what_is_written_is_there_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with new_file(path) as write:
        write(b"one")
        write(b"")
        write(b", two")
    assert path.read_bytes() == b"one, two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("dangling", [False, True])
def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path, *, dangling: bool) -> None:
    path = tmp_path / "file"
    if dangling:
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_bytes(b"before")
    with pytest.raises(AlreadyThereError), new_file(path):
        pass
    assert not (tmp_path / "elsewhere").exists()
    assert dangling or path.read_bytes() == b"before"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"), new_file(tmp_path / "none" / "file"):
        pass


def test_after_an_error_there_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def break_off() -> None:
        with new_file(path) as write:
            write(b"part")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert not path.exists()


def test_a_full_disk_is_told_and_left_with_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=64k") as disk:
        path = disk / "file"
        with pytest.raises(RefusedError, match="No space left"), new_file(path) as write:
            write(bytes(1_000_000))
        assert not path.exists()
