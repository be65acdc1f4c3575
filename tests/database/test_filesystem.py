from pathlib import Path

import pytest

from smarthost.database.filesystem import network_filesystem_of

ROOT = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"


def mount(point: str, kind: str, optional: str = "shared:2") -> str:
    """A line of proc_pid_mountinfo(5)."""
    return f"36 22 0:44 / {point} rw,noatime {optional} - {kind} server:/share rw,vers=4.2"


def found(tmp_path: Path, folder: str, *lines: str) -> str | None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return network_filesystem_of(Path(folder), mounts)


@pytest.mark.parametrize(
    "kind",
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "ceph",
        "lustre",
        "glusterfs",
        "afs",
        "ncpfs",
        "fuse.sshfs",
        "fuse.rclone",
        "fuse.glusterfs",
        "fuse.s3fs",
    ],
)
def test_a_network_file_system_is_named(tmp_path: Path, kind: str) -> None:
    assert found(tmp_path, "/mnt/data", ROOT, mount("/mnt", kind)) == kind


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk", "f2fs", "nfsd", "fuse"]
)
def test_a_local_one_is_fine(tmp_path: Path, kind: str) -> None:
    assert found(tmp_path, "/mnt/data", ROOT, mount("/mnt", kind)) is None


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/mnt", "nfs4"),
        ("/mnt/", "nfs4"),
        ("/mnt/deep/below", "nfs4"),
        ("/mnt/local", None),
        ("/mnt/local/deep", None),
        ("/mnt/locally", "nfs4"),
        ("/mntx", None),
        ("/", None),
        ("/mnt/deep/../local/x", None),
        ("/elsewhere/../mnt/x", "nfs4"),
    ],
)
def test_the_nearest_mount_above_a_folder_counts(
    tmp_path: Path, folder: str, kind: str | None
) -> None:
    lines = (ROOT, mount("/mnt", "nfs4"), mount("/mnt/local", "ext4"))
    assert found(tmp_path, folder, *lines) == kind
    assert found(tmp_path, folder, *reversed(lines)) == kind


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/mnt/share")
    lines = (ROOT, mount("/mnt/share", "cifs"))
    assert found(tmp_path, f"{tmp_path}/link/data", *lines) == "cifs"


@pytest.mark.parametrize(
    ("kinds", "expected"), [(["ext4", "nfs4"], "nfs4"), (["nfs4", "ext4"], None)]
)
def test_of_two_at_one_point_the_later_hides_the_earlier(
    tmp_path: Path, kinds: list[str], expected: str | None
) -> None:
    lines = [mount("/mnt", kind) for kind in kinds]
    assert found(tmp_path, "/mnt/data", ROOT, *lines) == expected


@pytest.mark.parametrize(
    ("written", "folder"),
    [
        (r"/mnt/my\040disk", "/mnt/my disk/data"),
        (r"/mnt/a\011tab", "/mnt/a\ttab/data"),
        (r"/mnt/a\012line", "/mnt/a\nline"),
        (r"/mnt/back\134slash", r"/mnt/back\slash"),
        (r"/mnt/not\134040a\040blank", r"/mnt/not\040a blank"),
        ("/mnt/größe", "/mnt/größe/data"),
    ],
)
def test_odd_letters_in_a_mount_point_are_read(tmp_path: Path, written: str, folder: str) -> None:
    assert found(tmp_path, folder, ROOT, mount(written, "nfs")) == "nfs"


@pytest.mark.parametrize("optional", ["", "shared:2 master:3 propagate_from:1", "unbindable"])
def test_any_number_of_optional_fields_is_passed_over(tmp_path: Path, optional: str) -> None:
    line = mount("/mnt", "nfs", optional).replace("  ", " ")
    assert found(tmp_path, "/mnt", ROOT, line) == "nfs"


def test_a_machine_that_does_not_tell_its_mounts_counts_as_local(tmp_path: Path) -> None:
    assert network_filesystem_of(tmp_path, tmp_path / "none") is None
    assert found(tmp_path, "/mnt") is None


def test_this_machines_own_table_is_read(tmp_path: Path) -> None:
    assert network_filesystem_of(Path("/dev")) is None
