"""Secrets at rest: AES-256-GCM, bound to the one place that they may be used at.

For a password the associated data is its destination itself, so a blob that was moved to another
portal, host, port, TLS setting, mechanism or user name does not open: changing where mail goes
can never carry the password along. A blob is: version (1 octet), key id (8), nonce (12),
ciphertext and tag.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from smarthost.secret import Secret
from smarthost.smtp_settings.model import SmtpSettingsError

KEY_OCTETS = 32
_VERSION = b"\x01"
_KEY_ID_OCTETS = 8
_NONCE_OCTETS = 12
_HEADER = len(_VERSION) + _KEY_ID_OCTETS + _NONCE_OCTETS


class SealBrokenError(SmtpSettingsError):
    """A stored secret does not open: it was moved or altered, or its key is missing."""


class Place(Protocol):
    """Where a sealed secret belongs."""

    def parts(self) -> tuple[bytes, ...]:
        """Return all that it is bound to, the purpose first: no two purposes share a place."""
        ...


class Sealer(Protocol):
    """What seals secrets and opens them: a ring, whatever it is kept in."""

    @property
    def active(self) -> str:
        """The id of the key that seals, in hexadecimal."""
        ...

    def seal(self, secret: Secret, place: Place) -> bytes:
        """Return the blob that opens only at `place`."""
        ...

    def open(self, blob: bytes, place: Place) -> Secret:
        """Return the secret in `blob`. Raises `SealBrokenError`; never guesses."""
        ...


class KeyRing:
    """The keys that stored secrets are sealed with; the active one seals new ones."""

    def __init__(
        self,
        keys: Mapping[str, bytes],
        active: str,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Take keys of 32 octets by their ids, which `key_id` gives."""
        self._ciphers = {name: AESGCM(key) for name, key in keys.items()}
        self._random_bytes = random_bytes
        self.active = active

    @property
    def key_ids(self) -> frozenset[str]:
        """The ids of all keys in the ring, in hexadecimal."""
        return frozenset(self._ciphers)

    def seal(self, secret: Secret, place: Place) -> bytes:
        """Return the blob that opens only at `place`."""
        nonce = self._random_bytes(_NONCE_OCTETS)
        header = _VERSION + bytes.fromhex(self.active) + nonce
        cipher = self._ciphers[self.active]
        text = secret.reveal().encode()
        return header + cipher.encrypt(nonce, text, _associated_data(place))

    def open(self, blob: bytes, place: Place) -> Secret:
        """Return the secret in `blob`. Raises `SealBrokenError`; never guesses."""
        key = key_of(blob)
        cipher = self._ciphers.get(key)
        if blob[:1] != _VERSION or len(blob) < _HEADER:
            raise SealBrokenError("The stored password is damaged. Type it again.")
        if cipher is None:
            raise SealBrokenError(f"The key {key} that sealed the password is not in the ring.")
        nonce = blob[1 + _KEY_ID_OCTETS : _HEADER]
        try:
            text = cipher.decrypt(nonce, blob[_HEADER:], _associated_data(place))
        except InvalidTag:
            raise SealBrokenError(
                "The stored password does not belong to these settings. Type it again."
            ) from None
        return Secret(text.decode())


def key_id(key: bytes) -> str:
    """Return a key's id in hexadecimal: it depends on the key, so that no two rings clash."""
    return hashlib.sha256(b"smarthost key id" + key).digest()[:_KEY_ID_OCTETS].hex()


def key_of(blob: bytes) -> str:
    """Return the id of the key that sealed `blob`, in hexadecimal."""
    return blob[1 : 1 + _KEY_ID_OCTETS].hex()


def _associated_data(place: Place) -> bytes:
    """Join the parts, each with its length, so that none can run into the next."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in place.parts())
