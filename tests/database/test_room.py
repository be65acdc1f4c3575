import os
from pathlib import Path

import pytest

from smarthost.database.engine import StoreFullError
from smarthost.database.room import RESERVE_OCTETS, Room
from smarthost.database.sqlite import SqliteDatabase
from tests.disks import small_disk
from tests.engines import executing

MIB = 1024 * 1024
FILE = "smarthost.db"


def free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def test_a_twentieth_of_a_small_disk_is_kept(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=40m") as disk:
        Room(disk / FILE).take(0)
        Room(disk / FILE).take(18 * MIB)
        with pytest.raises(StoreFullError, match="has 40 MiB left, of which 2 MiB are kept"):
            Room(disk / FILE).take(19 * MIB + 1)
        (disk / "ballast").write_bytes(bytes(free(disk) - 3 * MIB))
        Room(disk / FILE).take(MIB // 2)
        with pytest.raises(StoreFullError, match="Free some space"):
            Room(disk / FILE).take(MIB // 2 + 1)
        (disk / "more").write_bytes(bytes(MIB + 1))
        with pytest.raises(StoreFullError):
            Room(disk / FILE).take(0)
        (disk / "more").unlink()
        Room(disk / FILE).take(0)


def test_what_is_in_the_log_needs_room_in_the_file_too(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=40m") as disk:
        log = disk / f"{FILE}-wal"
        log.write_bytes(bytes(4 * MIB))
        Room(disk / FILE).take(15 * MIB)
        with pytest.raises(StoreFullError):
            Room(disk / FILE).take(15 * MIB + 1)


def test_of_a_large_disk_no_more_than_64_mib_are_kept(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=64g") as disk:
        room = free(disk)
        Room(disk / FILE).take((room - RESERVE_OCTETS) // 2)
        with pytest.raises(StoreFullError, match="of which 64 MiB are kept"):
            Room(disk / FILE).take((room - RESERVE_OCTETS) // 2 + 1)


def test_a_file_system_without_a_size_has_room() -> None:
    assert os.statvfs("/proc").f_blocks == 0
    Room(Path("/proc") / FILE).take(1 << 50)


async def test_what_fills_the_disk_and_what_would_are_errors_of_one_kind(tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=2m") as disk:
        database = SqliteDatabase(disk / "smarthost.db")
        await database.transact(executing("CREATE TABLE notes (text TEXT)"))
        with pytest.raises(StoreFullError, match="kept for what is under way"):
            database.check_room(4 * MIB)
        insert = "INSERT INTO notes (text) VALUES ($1)"
        with pytest.raises(StoreFullError, match="the disk is full"):
            await database.transact(executing(insert, "x" * 4 * MIB))
        await database.transact(executing(insert, "small"))
        assert await database.fetch("SELECT text FROM notes") == [("small",)]
        await database.close()
