"""The rows of those who were sent to a provider's page, and what becomes of their consent.

A state is kept as its hash and the verifier sealed, so that what is read in a back-up opens
nothing. A row is of one portal, one set-up of OAuth2 and one use, and ends after ten minutes.
"""

import base64
import hashlib
import os
from collections.abc import Callable

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import MICROSECONDS, Clock
from smarthost.database.engine import Database, Row, Transaction
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.consent.model import (
    OPEN_SECONDS,
    STATE_OCTETS,
    VERIFIER_OCTETS,
    CameBack,
    NothingToConsentError,
    SetOut,
)
from smarthost.smtp_settings.binding.sealing import VerifierPlace, binding_in, opened
from smarthost.smtp_settings.binding.tokens.store import Fetched, TokenStore, last_fetched
from smarthost.smtp_settings.model import Revision
from smarthost.smtp_settings.oauth2 import Grant
from smarthost.smtp_settings.sealing import Sealer
from smarthost.smtp_settings.writing.store import (
    InEachSave,
    current_revision,
    note_key,
    revision_of,
)

CONSENTED = "settings.oauth2_consented"
"""What the audit calls a consent that was given."""

_INSERT = """
INSERT INTO oauth2_authorizations (portal_id, state_hash, revision, user_id, actor, redirect_uri,
                                   sealed_verifier, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
_TAKE = """
SELECT revision, actor, redirect_uri, sealed_verifier, expires_at
FROM oauth2_authorizations WHERE portal_id = $1 AND state_hash = $2"""
_USE_UP = "DELETE FROM oauth2_authorizations WHERE portal_id = $1 AND state_hash = $2"
_FORGET_OLD = "DELETE FROM oauth2_authorizations WHERE portal_id = $1 AND expires_at <= $2"


class ConsentStore:
    """Sends people out, and takes back who comes."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        clock: Clock,
        key_ring: Sealer,
        in_each_consent: InEachSave,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """`in_each_consent` is called where a consent is kept, in its transaction."""
        self._database = database
        self._audit = audit
        self._clock = clock
        self._key_ring = key_ring
        self._tokens = TokenStore(database, clock, key_ring)
        self._in_each_consent = in_each_consent
        self._random_bytes = random_bytes

    async def set_out(
        self, portal_id: str, redirect_uri: str, by: Actor, user_id: str | None
    ) -> SetOut:
        """Write down that somebody is sent to the provider's page.

        `user_id` is None for the operator. Raises `NothingToConsentError`.
        """
        state, verifier = self._secret(STATE_OCTETS), self._secret(VERIFIER_OCTETS)

        async def work(tx: Transaction) -> SetOut:
            await tx.lock(portal_id)
            revision = await current_revision(tx, portal_id)
            settings = revision.settings
            oauth2 = None if settings is None else settings.oauth2
            if settings is None or oauth2 is None or oauth2.grant is not Grant.AUTHORIZATION_CODE:
                raise NothingToConsentError
            now = self._clock.now()
            await tx.execute(_FORGET_OLD, portal_id, now)
            place = VerifierPlace(portal_id=portal_id, state_hash=_hash(state))
            sealed = self._key_ring.seal(verifier, place)
            await note_key(tx, sealed, now)
            asked = (revision.number, user_id, by.name, redirect_uri)
            until = now + OPEN_SECONDS * MICROSECONDS
            await tx.execute(_INSERT, portal_id, place.state_hash, *asked, sealed, until)
            return SetOut(
                oauth2=oauth2,
                user_name=settings.user_name or "",
                redirect_uri=redirect_uri,
                state=state,
                verifier=verifier,
            )

        return await self._database.transact(work)

    async def take(self, portal_id: str, state: Secret) -> CameBack | None:
        """Use a state up; None: the portal has none like it, or it is over.

        It is over after ten minutes, and where the OAuth2 in force was set up since. Raises
        `SealBrokenError`.
        """

        async def work(tx: Transaction) -> tuple[Revision, Row] | None:
            await tx.lock(portal_id)
            rows = await tx.fetch(_TAKE, portal_id, _hash(state))
            if not rows:
                return None
            await tx.execute(_USE_UP, portal_id, _hash(state))
            revision = await current_revision(tx, portal_id)
            if rows[0][4] <= self._clock.now() or not await _is_of(tx, revision, rows[0][0]):
                return None
            return revision, rows[0]

        found = await self._database.transact(work)
        return None if found is None else self._opened(*found, _hash(state))

    async def keep(self, came: CameBack, refresh: Secret, expires_at: int, by: Actor) -> bool:
        """Keep the refresh token of a consent durably, and have the portal's mail tried with it.

        False, and nothing done, if other settings are in force by now. `expires_at` is the access
        token's.
        """
        portal_id = came.revision.portal_id

        async def work(tx: Transaction) -> bool:
            await tx.lock(portal_id)
            revision = await current_revision(tx, portal_id)
            if not await _is_of(tx, revision, came.revision.number):
                return False
            # Behind whatever is being asked, though the clock was set back: it is the newest.
            at = max(self._clock.now(), await last_fetched(tx, revision) + 1)
            fetched = Fetched(at=at, expires_at=expires_at, refresh=refresh)
            await self._tokens.keep_in(tx, revision, fetched)
            await self._in_each_consent(tx, portal_id)
            event = Event(portal_id=portal_id, action=CONSENTED, subject=str(revision.number))
            await self._audit.record(tx, event, by)
            return True

        return await self._database.transact(work)

    def _opened(self, revision: Revision, row: Row, state_hash: bytes) -> CameBack:
        _, actor, redirect_uri, sealed, _ = row
        portal_id, settings = revision.portal_id, revision.settings
        assert settings is not None  # noqa: S101 - it has OAuth2
        blob = revision.sealed_password or b""
        place = VerifierPlace(portal_id=portal_id, state_hash=state_hash)
        return CameBack(
            revision=revision,
            binding=binding_in(opened(self._key_ring, blob, settings, portal_id)),
            redirect_uri=redirect_uri,
            verifier=self._key_ring.open(sealed, place),
            set_out_by=actor,
        )

    def _secret(self, octets: int) -> Secret:
        random = self._random_bytes(octets)
        return Secret(base64.urlsafe_b64encode(random).rstrip(b"=").decode())


def _hash(state: Secret) -> bytes:
    return hashlib.sha256(state.reveal().encode()).digest()


async def _is_of(tx: Transaction, in_force: Revision, number: int) -> bool:
    """Tell whether OAuth2 is in force as it was set up with a revision."""
    if in_force.oauth2_revision is None:
        return False
    before = await revision_of(tx, in_force.portal_id, number)
    return before is not None and before.oauth2_revision == in_force.oauth2_revision
