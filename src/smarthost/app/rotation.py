"""Rotates the key ring while the service runs: a new key, and every stored secret under it.

The key is in the ring, and on the disk, before anything is sealed with it. Old keys stay:
back-ups of before open with them, and so does what a process was sealing at that moment. A
rotation that was killed is not taken up again: the next one, with a key of its own, brings all
there is under it.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from smarthost.app.parts import Parts
from smarthost.audit.model import OPERATOR, Actor
from smarthost.audit.store import AuditLog
from smarthost.smtp_settings.binding.resealing.store import OAuth2Resealing
from smarthost.smtp_settings.key_ring_file import add_key, only_rotation
from smarthost.smtp_settings.resealing.store import PasswordResealing, Resealed
from smarthost.webhooks.resealing.store import SecretResealing

MOST_ROUNDS = 5
"""How often it is looked for what others were sealing with an old key meanwhile."""

_TOGETHER = 1_000
_BY = Actor(name=OPERATOR)


Show = Callable[[float], None]
"""Takes which part of the portals is done, from 0 to 1."""


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """A rotation that has come to its end."""

    key_id: str
    """The active key's, in hexadecimal."""
    sealed: int
    """Secrets that were brought under it."""
    unreadable: int
    """Secrets that did not open, and were left as they are."""


async def rotate(parts: Parts, key_ring_file: Path, show: Show) -> Rotated:
    """Make a new key and seal every stored secret with it.

    Raises `KeyRingBusyError`, `KeyRingError` (nothing is changed then), `StoreUnavailableError`
    (what was done stays, and all secrets open; to be run again).
    """
    with only_rotation(key_ring_file):
        key_id = add_key(key_ring_file)
        done = await _Resealing(parts).run(show)
    return Rotated(key_id=key_id, sealed=done.sealed, unreadable=done.left)


class _Resealing:
    """Goes through all portals, again and again until nothing is left to do."""

    def __init__(self, parts: Parts) -> None:
        self._portals = parts.portals
        self._ring = parts.key_ring
        audit = AuditLog(parts.clock, parts.ids)
        rooms = (parts.database, audit, parts.clock, parts.key_ring)
        self._passwords = PasswordResealing(*rooms)
        self._oauth2 = OAuth2Resealing(*rooms)
        self._secrets = SecretResealing(*rooms)

    async def run(self, show: Show) -> Resealed:
        total = await self._round(show)
        for _ in range(MOST_ROUNDS):
            # Forgotten first and looked for afterwards: who commits a blob under an old key in
            # between is found, and who does so later writes its key down again.
            await self._passwords.forget_keys(total.unreadable | {self._ring.active})
            late = await self._round(lambda _share: None)
            total = late._replace(sealed=total.sealed + late.sealed)
            if not late.sealed:
                break
        return total

    async def _round(self, show: Show) -> Resealed:
        total, done, after = Resealed(), 0, ""
        count = await self._portals.count()
        while ids := await self._portals.ids(after=after, at_most=_TOGETHER):
            for portal_id in ids:
                total = total.plus(await self._passwords.reseal(portal_id, _BY))
                total = total.plus(await self._oauth2.reseal(portal_id, _BY))
                total = total.plus(await self._secrets.reseal(portal_id, _BY))
                done += 1
                show(min(1.0, done / count))
            after = ids[-1]
        return total
