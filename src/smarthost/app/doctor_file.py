"""What `doctor` says of the store in one file: where it lies, its log, its pages, its tables."""

import asyncio
import os
from pathlib import Path

from smarthost.app.doctor_schema import check_schema
from smarthost.app.finding import Finding, bad, good
from smarthost.database.engine import Database
from smarthost.database.filesystem import network_filesystem_of

LEAST_FREE = 100 * 1024 * 1024
"""Octets of free space below which the disk counts as nearly full."""
LEAST_FILES = 1_000
"""New files below which it does too."""
LARGEST_LOG = 1024 * 1024 * 1024
"""Octets from which the write-ahead log has had no chance to be written into the file."""


def check_disk(database: Path) -> list[Finding]:
    """Look at the file system of the database: a local one, with room; and at its log.

    To be asked before the database is opened: who closes it last empties the log.
    """
    folder = database.parent
    if not os.path.isdir(folder):  # noqa: PTH112 - False, too, for one that is out of reach
        return []
    return [_file_system(folder), _room(folder), *_log(database)]


def _file_system(folder: Path) -> Finding:
    kind = network_filesystem_of(folder)
    if kind is None:
        return good("file system", f"{folder} is on a local file system.")
    return bad(
        "file system",
        f"{folder} is on a network file system ({kind}), where SQLite's locks do not hold. Move "
        "it to a local disk and set SMARTHOST_DATA_DIR.",
    )


def _room(folder: Path) -> Finding:
    disk = os.statvfs(folder)
    free = disk.f_frsize * disk.f_bavail
    words = f"{free // 2**20} MiB are free on the disk of {folder}."
    if free < LEAST_FREE:
        return bad("free space", f"{words} Make room: saving fails when the disk is full.")
    # Some file systems have no fixed number, and tell none.
    if disk.f_files and disk.f_favail < LEAST_FILES:
        return bad(
            "free space",
            f"{words} But it takes only {disk.f_favail} more files. Remove some: saving fails "
            "when it takes none.",
        )
    return good("free space", words)


def _log(database: Path) -> list[Finding]:
    log = database.with_name(f"{database.name}-wal")
    try:
        octets = log.stat().st_size
    except OSError:  # there is none while nobody has the database open
        return []
    words = f"{log} has {octets // 2**20} MiB."
    if octets < LARGEST_LOG:
        return [good("write-ahead log", words)]
    return [
        bad(
            "write-ahead log",
            f"{words} Some program has read an old state for long, or the disk is too slow. See "
            f"who has it open, and end what is none of Smarthost's: fuser --verbose '{database}'. "
            "The log is removed when Smarthost stops.",
        )
    ]


async def check_database(database: Database, path: Path) -> Finding:
    """Look at the file's mode, its pages and the version of its tables."""
    if (await asyncio.to_thread(path.stat)).st_mode & 0o077:
        return bad("database", f"Other users can read {path}. Type: chmod 600 '{path}'")
    if damage := await database.find_damage():
        return bad("database", f"{path} is damaged ({damage}). Restore it from a back-up.")
    return await check_schema(database, str(path), "whole")
