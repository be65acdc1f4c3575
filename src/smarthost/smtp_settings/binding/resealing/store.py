"""Refresh tokens and code verifiers under a new key, as passwords are brought there.

A blob is replaced only if it is still the one that was opened. There is one refresh token for each
time that somebody has set a sign-in up, and few journeys under way: no pages are needed.
"""

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction, Value
from smarthost.smtp_settings.binding.sealing import VerifierPlace, refresh_place
from smarthost.smtp_settings.resealing.store import Resealed, resealed
from smarthost.smtp_settings.rows import read_revision
from smarthost.smtp_settings.sealing import Sealer, key_of
from smarthost.smtp_settings.writing.store import note_key

_TOKENS = """
SELECT s.portal_id, s.revision, s.action, s.saved_at, s.saved_by, s.host, s.port,
       s.sender_address, s.sender_display_name, s.user_name, s.enable_ssl, s.enable_auth,
       s.use_ntlm, s.oauth2, s.oauth2_revision, s.sealed_password, t.sealed_refresh_token
FROM oauth2_tokens t
JOIN smtp_settings_revisions s ON s.portal_id = t.portal_id AND s.revision = t.revision
WHERE t.portal_id = $1 AND substr(t.sealed_refresh_token, 2, 8) <> $2"""
_REPLACE_TOKEN = """
UPDATE oauth2_tokens SET sealed_refresh_token = $4
WHERE portal_id = $1 AND revision = $2 AND sealed_refresh_token = $3"""  # noqa: S105 - SQL
_VERIFIERS = """
SELECT state_hash, sealed_verifier FROM oauth2_authorizations
WHERE portal_id = $1 AND substr(sealed_verifier, 2, 8) <> $2"""
_REPLACE_VERIFIER = """
UPDATE oauth2_authorizations SET sealed_verifier = $4
WHERE portal_id = $1 AND state_hash = $2 AND sealed_verifier = $3"""

_Blob = tuple[Value, bytes, bytes | None]
"""The key of its row in the portal, itself, and what takes its place; None: it does not open."""


class OAuth2Resealing:
    """Brings what OAuth2 has sealed under the ring's active key."""

    def __init__(self, database: Database, audit: AuditLog, clock: Clock, ring: Sealer) -> None:
        self._database = database
        self._audit = audit
        self._clock = clock
        self._ring = ring

    async def reseal(self, portal_id: str, by: Actor) -> Resealed:
        """Seal anew what the portal has under another key."""
        tokens, verifiers = await self._tokens(portal_id), await self._verifiers(portal_id)

        async def work(tx: Transaction) -> int:
            changed = 0
            for key, blob, anew in tokens:
                if anew is not None:
                    changed += await tx.execute(_REPLACE_TOKEN, portal_id, key, blob, anew)
            for key, blob, anew in verifiers:
                if anew is not None:
                    changed += await tx.execute(_REPLACE_VERIFIER, portal_id, key, blob, anew)
            if changed:
                await self._note(tx, portal_id, by, changed, new[-1])
            return changed

        found = [*tokens, *verifiers]
        new = [anew for _, _, anew in found if anew is not None]
        unreadable = [key_of(blob) for _, blob, anew in found if anew is None]
        sealed = await self._database.transact(work) if new else 0
        return Resealed(sealed, frozenset(unreadable), len(unreadable))

    async def _tokens(self, portal_id: str) -> list[_Blob]:
        active = bytes.fromhex(self._ring.active)
        found: list[_Blob] = []
        for row in await self._database.fetch(_TOKENS, portal_id, active):
            revision, blob = read_revision(row), row[16]
            place = refresh_place(revision)
            found.append((revision.number, blob, resealed(self._ring, blob, place)))
        return found

    async def _verifiers(self, portal_id: str) -> list[_Blob]:
        active = bytes.fromhex(self._ring.active)
        found: list[_Blob] = []
        for state_hash, blob in await self._database.fetch(_VERIFIERS, portal_id, active):
            place = VerifierPlace(portal_id=portal_id, state_hash=state_hash)
            found.append((state_hash, blob, resealed(self._ring, blob, place)))
        return found

    async def _note(
        self, tx: Transaction, portal_id: str, by: Actor, changed: int, blob: bytes
    ) -> None:
        await note_key(tx, blob, self._clock.now())
        event = Event(
            portal_id=portal_id,
            action="settings.resealed",
            subject=key_of(blob),
            details={"oauth2": changed},
        )
        await self._audit.record(tx, event, by)
