"""Which kind of file system a folder is on.

SQLite's locks need a local one: on NFS, SMB or 9p two processes can both believe that they
hold the lock, and the file is lost.
"""

from pathlib import Path

_NETWORK = frozenset({"9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4"})
_NETWORK_PREFIXES = ("smb", "fuse.sshfs", "fuse.rclone", "fuse.glusterfs", "fuse.s3fs")
_MOUNTS = Path("/proc/self/mountinfo")


def network_filesystem_of(folder: Path, mounts: Path = _MOUNTS) -> str | None:
    """Return the name of the network file system that holds `folder`, None for a local one.

    A machine that does not tell its mounts (no /proc) counts as local.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    target = folder.resolve()
    found = [
        (point, kind)
        for point, kind in map(_mount, lines)
        if target == point or point in target.parents
    ]
    # Of two at one point the later hides the earlier; `max` takes the first that it sees.
    found.reverse()
    kind = max(found, key=lambda hit: len(hit[0].parts), default=(target, ""))[1]
    return kind if kind in _NETWORK or kind.startswith(_NETWORK_PREFIXES) else None


def _mount(line: str) -> tuple[Path, str]:
    """Read the mount point and type from a line of proc_pid_mountinfo(5)."""
    fields, _, rest = line.partition(" - ")
    point = fields.split(" ")[4]
    for code in ("\\040", "\\011", "\\012", "\\134"):
        point = point.replace(code, chr(int(code[1:], 8)))
    return Path(point), rest.split(" ")[0]
