"""Passwords at rest: AES-256-GCM, bound to the one destination that they may be sent to.

The associated data is the destination itself, so a blob that was moved to another portal, host,
port, TLS setting, mechanism or user name does not open: changing where mail goes can never
carry the password along. A blob is: version (1 octet), key id (8), nonce (12), ciphertext and
tag.
"""

import hashlib
import os
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from smarthost.secret import Secret
from smarthost.smtp_settings.model import Destination, SmtpSettingsError

KEY_OCTETS = 32
_VERSION = b"\x01"
_KEY_ID_OCTETS = 8
_NONCE_OCTETS = 12
_PURPOSE = b"smarthost smtp password"
_HEADER = len(_VERSION) + _KEY_ID_OCTETS + _NONCE_OCTETS


class SealBrokenError(SmtpSettingsError):
    """A stored password does not open: it was moved or altered, or its key is missing."""


class KeyRing:
    """The keys that stored passwords are sealed with; the active one seals new ones."""

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

    def seal(self, password: Secret, destination: Destination) -> bytes:
        """Return the blob that only `destination` opens."""
        nonce = self._random_bytes(_NONCE_OCTETS)
        header = _VERSION + bytes.fromhex(self.active) + nonce
        cipher = self._ciphers[self.active]
        text = password.reveal().encode()
        return header + cipher.encrypt(nonce, text, _associated_data(destination))

    def open(self, blob: bytes, destination: Destination) -> Secret:
        """Return the password in `blob`. Raises `SealBrokenError`; never guesses."""
        key = blob[1 : 1 + _KEY_ID_OCTETS].hex()
        cipher = self._ciphers.get(key)
        if blob[:1] != _VERSION or len(blob) < _HEADER:
            raise SealBrokenError("The stored password is damaged. Type it again.")
        if cipher is None:
            raise SealBrokenError(f"The key {key} that sealed the password is not in the ring.")
        nonce = blob[1 + _KEY_ID_OCTETS : _HEADER]
        try:
            text = cipher.decrypt(nonce, blob[_HEADER:], _associated_data(destination))
        except InvalidTag:
            raise SealBrokenError(
                "The stored password does not belong to these settings. Type it again."
            ) from None
        return Secret(text.decode())


def key_id(key: bytes) -> str:
    """Return a key's id in hexadecimal: it depends on the key, so that no two rings clash."""
    return hashlib.sha256(b"smarthost key id" + key).digest()[:_KEY_ID_OCTETS].hex()


def _associated_data(destination: Destination) -> bytes:
    """Join the destination's parts, each with its length, so that none can run into the next."""
    parts = (
        _PURPOSE,
        destination.portal_id.encode(),
        destination.host.encode(),
        str(destination.port).encode(),
        b"tls" if destination.enable_ssl else b"any",
        destination.mechanism.encode(),
        destination.user_name.encode(),
    )
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
