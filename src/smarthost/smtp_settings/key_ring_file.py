"""The file that holds the key ring: outside the database, readable by its owner alone.

A back-up of the database holds no usable password without this file, and the database knows
which keys it needs (`sealing_keys`), so that a missing or wrong ring is seen at start.
"""

import base64
import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from smarthost.smtp_settings.model import SmtpSettingsError
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id

_LARGEST_FILE = 1 << 20
_DRAFT_OCTETS = 8
_DRAFT = re.compile(f"[0-9a-f]{{{2 * _DRAFT_OCTETS}}}")


class KeyRingError(SmtpSettingsError):
    """The key ring cannot be used; the message tells the operator why and what to do."""


class KeyRingBusyError(SmtpSettingsError):
    """Another process is rotating the ring."""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    active: str
    keys: dict[str, str]
    """Key id to 32 octets in base64."""


def load_key_ring(path: Path) -> KeyRing:
    """Read the ring. Raises `KeyRingError`: missing, readable by others, or damaged."""
    return _ring(_read(path))


def create_key_ring(path: Path) -> KeyRing:
    """Make a ring with one new key, safely on the disk before it is used.

    When another process makes one at the same moment, the first one stays and is returned.
    """
    file = _with_new_key({})
    try:
        _write(path, file, os.link)
    except FileExistsError:
        return load_key_ring(path)
    except OSError as error:
        raise KeyRingError(f"The key ring {path} cannot be written: {error.strerror}.") from error
    return _ring(file)


@contextmanager
def only_rotation(path: Path) -> Iterator[None]:
    """Keep others from changing the ring meanwhile; who only reads it does not notice.

    The lock is the folder's (flock(2)), so that nothing is left of a process that dies. Raises
    `KeyRingBusyError`, `KeyRingError`.
    """
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(folder)
            raise
    except BlockingIOError:
        raise KeyRingBusyError(f"The key ring {path} is being rotated just now.") from None
    except OSError as error:
        raise KeyRingError(f"The key ring {path} cannot be locked: {error.strerror}.") from error
    try:
        yield
    finally:
        os.close(folder)


def add_key(path: Path) -> str:
    """Make a new key the active one, and return its id; those that are there stay.

    To be called under `only_rotation`. Raises `KeyRingError`; the ring is as it was then.
    """
    file = _with_new_key(_read(path).keys)
    place = path.resolve()  # what a link leads to is replaced, not the link
    try:
        _remove_drafts(place)
        _write(place, file, os.replace, place.stat())
    except OSError as error:
        raise KeyRingError(
            f"The key ring {path} cannot be replaced: {error.strerror}. Nothing was changed. Run "
            "this as the user that runs Smarthost, and let that write to the folder."
        ) from error
    return file.active


def _with_new_key(keys: dict[str, str]) -> _File:
    key = secrets.token_bytes(KEY_OCTETS)
    name = key_id(key)
    return _File(version=1, active=name, keys={**keys, name: base64.b64encode(key).decode()})


def _write(
    path: Path,
    ring: _File,
    give_name: Callable[[Path, Path], None],
    like: os.stat_result | None = None,
) -> None:
    """Write a ring whole or not at all, and `give_name` to it once it is on the disk.

    It belongs to whoever `like` belongs to: root may rotate the ring of a service that is not.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(_DRAFT_OCTETS)}")
    try:
        with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(msgspec.json.format(msgspec.json.encode(ring), indent=2) + b"\n")
            file.flush()
            if like is not None:
                os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fsync(file.fileno())
        give_name(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove_drafts(path: Path) -> None:
    """Remove what processes that died in the middle have left: there are keys in it."""
    beginning = f".{path.name}."
    for file in path.parent.iterdir():
        # A copy that somebody has made under such a name may be the only one.
        if file.name.startswith(beginning) and _DRAFT.fullmatch(file.name[len(beginning) :]):
            file.unlink(missing_ok=True)


def _read(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_LARGEST_FILE)
    except FileNotFoundError:
        raise KeyRingError(f"The key ring {path} is missing.") from None
    except OSError as error:
        raise KeyRingError(f"The key ring {path} cannot be read: {error.strerror}.") from error
    if mode & 0o077:
        raise KeyRingError(
            f"The key ring {path} can be read by other users. Type: chmod 600 '{path}'"
        )
    return _parse(content, path)


def _parse(content: bytes, path: Path) -> _File:
    # The content is secret: no message may quote a part of it.
    damaged = KeyRingError(f"The key ring {path} is damaged. Restore it from its back-up.")
    try:
        file = msgspec.json.decode(content, type=_File)
        keys = _keys(file)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise damaged from None
    right = all(len(key) == KEY_OCTETS and key_id(key) == name for name, key in keys.items())
    if file.version != 1 or file.active not in keys or not right:
        raise damaged
    return file


def _keys(file: _File) -> dict[str, bytes]:
    return {name: base64.b64decode(text, validate=True) for name, text in file.keys.items()}


def _ring(file: _File) -> KeyRing:
    return KeyRing(_keys(file), file.active)
