"""The ring as its file has it at this moment, for a process that runs while it is rotated.

The file is looked at before something is sealed, so that nothing new is sealed with an old key,
and when a blob names a key that is not known. What cannot be read does not replace what is: the
keys that were there are the only ones that stored secrets open with.
"""

from pathlib import Path

import structlog

from smarthost.secret import Secret
from smarthost.smtp_settings.key_ring_file import KeyRingError, load_key_ring
from smarthost.smtp_settings.sealing import Place, key_of

log = structlog.get_logger("smarthost.smtp_settings")

_Look = tuple[int, int, int, int] | None
"""What tells one state of a file from another: it is replaced, and its mode may change."""


class LiveKeyRing:
    """The keys in a file; the active one seals."""

    def __init__(self, path: Path) -> None:
        """Read the ring. Raises `KeyRingError`."""
        self._path = path
        # Looked at before it is read: a change in between is seen the next time.
        self._look = _look(path)
        self._ring = load_key_ring(path)
        self._told: str | None = None

    @property
    def active(self) -> str:
        """The id of the key that seals now, in hexadecimal."""
        self._refresh()
        return self._ring.active

    @property
    def key_ids(self) -> frozenset[str]:
        """The ids of all keys in the ring now, in hexadecimal."""
        self._refresh()
        return self._ring.key_ids

    def seal(self, secret: Secret, place: Place) -> bytes:
        """Return the blob that opens only at `place`."""
        self._refresh()
        return self._ring.seal(secret, place)

    def open(self, blob: bytes, place: Place) -> Secret:
        """Return the secret in `blob`. Raises `SealBrokenError`; never guesses."""
        if key_of(blob) not in self._ring.key_ids:
            self._refresh()
        return self._ring.open(blob, place)

    def _refresh(self) -> None:
        """Read the file again if it is another one than was read last.

        One that cannot be read is tried again each time: that may be for want of something that
        passes, such as open files, and nothing else would bring its new key.
        """
        look = _look(self._path)
        if look == self._look:
            return
        try:
            self._ring = load_key_ring(self._path)
        except KeyRingError as error:
            if str(error) != self._told:
                self._told = str(error)
                log.warning("key ring not read, the one from before is kept", reason=self._told)
        else:
            self._look, self._told = look, None
            log.info("key ring read again", active=self._ring.active)


def _look(path: Path) -> _Look:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size
