"""The file that holds the key ring: outside the database, readable by its owner alone.

A back-up of the database holds no usable password without this file, and the database knows
which keys it needs (`sealing_keys`), so that a missing or wrong ring is seen at start.
"""

import base64
import os
import secrets
from pathlib import Path

import msgspec

from smarthost.smtp_settings.model import SmtpSettingsError
from smarthost.smtp_settings.sealing import KEY_OCTETS, KeyRing, key_id

_LARGEST_FILE = 1 << 20


class KeyRingError(SmtpSettingsError):
    """The key ring cannot be used; the message tells the operator why and what to do."""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    active: str
    keys: dict[str, str]
    """Key id to 32 octets in base64."""


def load_key_ring(path: Path) -> KeyRing:
    """Read the ring. Raises `KeyRingError`: missing, readable by others, or damaged."""
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


def create_key_ring(path: Path) -> KeyRing:
    """Make a ring with one new key, safely on the disk before it is used.

    When another process makes one at the same moment, the first one stays and is returned.
    """
    key = secrets.token_bytes(KEY_OCTETS)
    name = key_id(key)
    ring = _File(version=1, active=name, keys={name: base64.b64encode(key).decode()})
    content = msgspec.json.format(msgspec.json.encode(ring), indent=2) + b"\n"
    try:
        _write_new(path, content)
    except FileExistsError:
        return load_key_ring(path)
    except OSError as error:
        raise KeyRingError(f"The key ring {path} cannot be written: {error.strerror}.") from error
    return _parse(content, path)


def _write_new(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, under a name that must be new."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(draft, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parse(content: bytes, path: Path) -> KeyRing:
    # The content is secret: no message may quote a part of it.
    damaged = KeyRingError(f"The key ring {path} is damaged. Restore it from its back-up.")
    try:
        ring = msgspec.json.decode(content, type=_File)
        keys = {name: base64.b64decode(text, validate=True) for name, text in ring.keys.items()}
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise damaged from None
    right = all(len(key) == KEY_OCTETS and key_id(key) == name for name, key in keys.items())
    if ring.version != 1 or ring.active not in keys or not right:
        raise damaged
    return KeyRing(keys, ring.active)
