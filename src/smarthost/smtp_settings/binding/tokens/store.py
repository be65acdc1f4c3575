"""What requests for tokens came to, and refresh tokens that came with them.

They are kept under the revision that set the sign-in up, so that later revisions which leave it
as it is, and a request that began before one of those, use and write the same. Writes may come
late: each says when it was asked for, and what is older changes nothing.
"""

import msgspec

from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.model import TokenState
from smarthost.smtp_settings.binding.sealing import refresh_place
from smarthost.smtp_settings.history.store import Reader
from smarthost.smtp_settings.model import Revision
from smarthost.smtp_settings.sealing import Sealer
from smarthost.smtp_settings.writing.store import note_key, revision_of

_LAST_FETCHED = """
SELECT fetched_at FROM oauth2_tokens WHERE portal_id = $1 AND revision = $2"""
_STATE = """
SELECT fetched_at, expires_at, error, said, sealed_refresh_token IS NOT NULL
FROM oauth2_tokens WHERE portal_id = $1 AND revision = $2"""
_NEWEST = """
SELECT sealed_refresh_token FROM oauth2_tokens WHERE portal_id = $1 AND revision = $2"""
_KEEP_STATE = """
INSERT INTO oauth2_tokens (portal_id, revision, fetched_at, expires_at, error, said)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (portal_id, revision) DO UPDATE
SET fetched_at = excluded.fetched_at, expires_at = excluded.expires_at,
    error = excluded.error, said = excluded.said
WHERE oauth2_tokens.fetched_at <= excluded.fetched_at"""
# A failure may be written between a new refresh token's request and its write: so it has a time
# of its own.
_KEEP_NEWEST = """
UPDATE oauth2_tokens SET sealed_refresh_token = $3, refreshed_at = $4
WHERE portal_id = $1 AND revision = $2 AND coalesce(refreshed_at, 0) <= $4"""
_LOOK_AGAIN = """
UPDATE oauth2_tokens SET error = NULL, said = NULL
WHERE portal_id = $1 AND revision = $2 AND error <> 'consent_needed'"""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """What a request for a token came to; times are microseconds since 1970, UTC."""

    at: int
    """When it was asked for."""
    expires_at: int | None = None
    error: str | None = None
    """`refused`, `consent_needed` or `unavailable`; None: it was given."""
    said: str | None = None
    refresh: Secret | None = None
    """To be used from now on; None: the one before stays."""


class TokenStore:
    """Keeps these."""

    def __init__(self, database: Database, clock: Clock, key_ring: Sealer) -> None:
        self._database = database
        self._clock = clock
        self._key_ring = key_ring

    async def state(self, portal_id: str, oauth2_revision: int) -> TokenState | None:
        """Return what the last request came to, None if there was none."""
        rows = await self._database.fetch(_STATE, portal_id, oauth2_revision)
        if not rows:
            return None
        fetched_at, expires_at, error, said, has_refresh_token = rows[0]
        return TokenState(
            fetched_at=fetched_at,
            expires_at=expires_at,
            error=error,
            said=said,
            has_refresh_token=bool(has_refresh_token),
        )

    async def refresh_token(self, revision: Revision) -> Secret | None:
        """Return the refresh token that came last, None if none ever came.

        Raises `SealBrokenError`.
        """
        number = revision.oauth2_revision or 0
        rows = await self._database.fetch(_NEWEST, revision.portal_id, number)
        if not rows or rows[0][0] is None:
            return None
        return self._key_ring.open(rows[0][0], refresh_place(revision))

    async def newest(self, portal_id: str, number: int) -> Secret | None:
        """Return the same of a revision by its number. Raises `SealBrokenError`."""
        revision = await revision_of(self._database, portal_id, number)
        return None if revision is None else await self.refresh_token(revision)

    async def moment(self, portal_id: str, number: int) -> int:
        """Return when a request with revision `number` is made that begins now.

        That is now, but for a clock that was set back: it is not older than the last one.
        """
        revision = await revision_of(self._database, portal_id, number)
        now = self._clock.now()
        return now if revision is None else max(now, await last_fetched(self._database, revision))

    async def keep(self, portal_id: str, number: int, fetched: Fetched) -> None:
        """Write down what came of a request with revision `number`, safely before this returns.

        Raises `StoreUnavailableError`.
        """

        async def work(tx: Transaction) -> None:
            await tx.lock(portal_id)
            revision = await revision_of(tx, portal_id, number)
            if revision is not None and revision.oauth2_revision is not None:
                await self.keep_in(tx, revision, fetched)

        await self._database.transact(work)

    async def keep_in(self, tx: Transaction, revision: Revision, fetched: Fetched) -> None:
        """Write down in `tx` what came of a request with a revision that has OAuth2."""
        place = (revision.portal_id, revision.oauth2_revision)
        told = (fetched.at, fetched.expires_at, fetched.error, fetched.said)
        await tx.execute(_KEEP_STATE, *place, *told)
        if fetched.refresh is not None:
            sealed = self._key_ring.seal(fetched.refresh, refresh_place(revision))
            await note_key(tx, sealed, self._clock.now())
            await tx.execute(_KEEP_NEWEST, *place, sealed, fetched.at)


async def last_fetched(reader: Reader, revision: Revision) -> int:
    """Return when the last request for a token was made, 0 if there was none."""
    place = (revision.portal_id, revision.oauth2_revision)
    rows = await reader.fetch(_LAST_FETCHED, *place)
    return int(rows[0][0]) if rows else 0


async def look_again(tx: Transaction, revision: Revision) -> None:
    """Forget what the last request failed for, where something else was set up since.

    A consent that is over is over: that is not forgotten.
    """
    await tx.execute(_LOOK_AGAIN, revision.portal_id, revision.oauth2_revision)
