"""Stored passwords under a new key: those of all revisions, old ones too.

A blob is replaced only if it is still the one that was opened, few in each transaction, so that
nobody waits long and a process that dies loses nothing: each blob opens before and after. What
does not open stays as it is.
"""

from typing import NamedTuple

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Row, Transaction
from smarthost.smtp_settings.rows import read_revision
from smarthost.smtp_settings.sealing import Place, SealBrokenError, Sealer, key_of
from smarthost.smtp_settings.writing.store import note_key

_UNDER_OTHER_KEYS = """
SELECT portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
       sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, oauth2, oauth2_revision,
       sealed_password
FROM smtp_settings_revisions
WHERE portal_id = $1 AND revision > $2 AND substr(sealed_password, 2, 8) <> $3
ORDER BY revision LIMIT $4"""
_REPLACE = """
UPDATE smtp_settings_revisions SET sealed_password = $4
WHERE portal_id = $1 AND revision = $2 AND sealed_password = $3"""
_KEYS = "SELECT key_id FROM sealing_keys"
_FORGET_KEY = "DELETE FROM sealing_keys WHERE key_id = $1"

_TOGETHER = 100
"""How many blobs a transaction replaces at the most."""


class Resealed(NamedTuple):
    """What came of sealing secrets anew."""

    sealed: int = 0
    """How many are under the active key now that were not before."""
    unreadable: frozenset[str] = frozenset()
    """The keys of those that do not open: moved, altered, or without their key."""
    left: int = 0
    """How many those are."""

    def plus(self, other: "Resealed") -> "Resealed":
        """Return both together."""
        return Resealed(
            self.sealed + other.sealed, self.unreadable | other.unreadable, self.left + other.left
        )


def resealed(ring: Sealer, blob: bytes, place: Place) -> bytes | None:
    """Return the same secret under the active key, None if the blob does not open."""
    try:
        return ring.seal(ring.open(blob, place), place)
    except SealBrokenError:
        return None


class PasswordResealing:
    """Brings passwords under the ring's active key."""

    def __init__(self, database: Database, audit: AuditLog, clock: Clock, ring: Sealer) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._ring = ring

    async def reseal(self, portal_id: str, by: Actor) -> Resealed:
        """Seal a portal's passwords anew that are under another key."""
        total, after, active = Resealed(), 0, bytes.fromhex(self._ring.active)
        while rows := await self._database.fetch(
            _UNDER_OTHER_KEYS, portal_id, after, active, _TOGETHER
        ):
            total = total.plus(await self._page(portal_id, rows, by))
            after = rows[-1][1]
        return total

    async def forget_keys(self, keep: frozenset[str]) -> None:
        """Write down that of all keys only `keep` may be in use."""

        async def work(tx: Transaction) -> None:
            for (key,) in await tx.fetch(_KEYS):
                if key not in keep:
                    await tx.execute(_FORGET_KEY, key)

        await self._database.transact(work)

    async def _page(self, portal_id: str, rows: list[Row], by: Actor) -> Resealed:
        changes: list[tuple[int, bytes, bytes]] = []
        unreadable: list[str] = []
        for revision in map(read_revision, rows):
            blob = revision.sealed_password or b""
            place = revision.settings and revision.settings.destination(portal_id)
            anew = place and resealed(self._ring, blob, place)
            if anew:
                changes.append((revision.number, blob, anew))
            else:
                unreadable.append(key_of(blob))

        async def work(tx: Transaction) -> int:
            changed = sum([await tx.execute(_REPLACE, portal_id, *one) for one in changes])
            if changed:
                await note_key(tx, changes[0][2], self._clock.now())
                event = Event(
                    portal_id=portal_id,
                    action="settings.resealed",
                    subject=key_of(changes[0][2]),
                    details={"passwords": changed},
                )
                await self._audit.record(tx, event, by)
            return changed

        sealed = await self._database.transact(work) if changes else 0
        return Resealed(sealed, frozenset(unreadable), len(unreadable))
