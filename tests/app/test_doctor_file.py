"""What `doctor` finds around the file of SQLite."""

from pathlib import Path

import pytest

from smarthost.app.doctor_file import LARGEST_LOG, check_disk
from tests.disks import small_disk


def wrong(database: Path) -> dict[str, str]:
    return {one.check: one.message for one in check_disk(database) if not one.ok}


def test_a_log_that_was_never_written_into_the_file_is_found(tmp_path: Path) -> None:
    database = tmp_path / "smarthost.db"
    assert "write-ahead log" not in {one.check for one in check_disk(database)}
    with Path(f"{database}-wal").open("wb") as log:
        log.truncate(LARGEST_LOG - 1)
        assert wrong(database) == {}
        log.truncate(LARGEST_LOG)
        assert "has 1024 MiB" in wrong(database)["write-ahead log"]


@pytest.mark.needs("mount")
def test_a_disk_that_takes_no_more_files_is_found(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=200m,nr_inodes=900") as disk:
        assert "more files" in wrong(disk / "smarthost.db")["free space"]


@pytest.mark.needs("mount")
def test_a_disk_that_is_nearly_full_is_found(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=90m") as disk:
        assert "Make room" in wrong(disk / "smarthost.db")["free space"]


def test_of_a_folder_that_is_missing_nothing_is_said(tmp_path: Path) -> None:
    assert check_disk(tmp_path / "nowhere" / "smarthost.db") == []
