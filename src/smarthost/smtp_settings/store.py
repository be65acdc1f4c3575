"""A portal's settings: read, saved, reset and restored, as immutable revisions.

A save decides inside its transaction, against the revision that is in force at that moment:
whether the caller has seen it (If-Match), whether an empty password may stay, and whether
anything changes at all.
"""

from collections.abc import Collection

from smarthost.audit.model import Actor
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.smtp_settings.history.store import page
from smarthost.smtp_settings.model import (
    Change,
    Draft,
    InvalidSettingsError,
    NoSuchRevisionError,
    PastRevision,
    Revision,
    no_revision,
)
from smarthost.smtp_settings.rules import NOTHING_STORED, with_oauth2
from smarthost.smtp_settings.sealing import Sealer
from smarthost.smtp_settings.writing.store import (
    IfMatch,
    InEachSave,
    RevisionWriter,
    Wanted,
    current_revision,
    matching_revision,
    revision_of,
    use_key,
)

_KEYS = "SELECT key_id FROM sealing_keys"

NO_LONGER_OPENS = (
    "The password of this revision does not open any more: it was altered, or its key is not in "
    "the key ring. Save these settings with the password typed again."
)


async def nothing_more(_tx: Transaction, _portal_id: str) -> None:
    """Leave a save as it is."""


class SettingsStore:
    """Reads and changes portals' settings."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        clock: Clock,
        key_ring: Sealer,
        in_each_save: InEachSave = nothing_more,
    ) -> None:
        self._database = database
        self._clock = clock
        self._key_ring = key_ring
        self._writer = RevisionWriter(audit, clock, key_ring, in_each_save)

    async def current(self, portal_id: str) -> Revision:
        """Return the revision in force, 0 if the portal has never saved anything."""
        return await current_revision(self._database, portal_id)

    async def revision(self, portal_id: str, number: int) -> Revision:
        """Return a revision by its number; one that was never written holds no settings."""
        found = await revision_of(self._database, portal_id, number)
        return found or no_revision(portal_id)

    async def history(
        self, portal_id: str, *, before: int | None = None, limit: int
    ) -> list[PastRevision]:
        """Return at most `limit` revisions, newest first: those older than `before`, or all."""
        return await page(self._database, portal_id, before=before, limit=limit)

    async def matching(self, portal_id: str, if_match: IfMatch) -> Revision:
        """Return the revision in force if a change may be made to it.

        Raises `RevisionConflictError`; what is changed is looked at once more as it is written.
        """
        return await matching_revision(self._database, portal_id, if_match)

    async def save(
        self, portal_id: str, draft: Draft, by: Actor, if_match: IfMatch = None
    ) -> Revision:
        """Make `draft` the settings in force and return their revision, as `put` does."""
        return (await self.put(portal_id, draft, by, if_match)).after

    async def put(
        self, portal_id: str, draft: Draft, by: Actor, if_match: IfMatch = None
    ) -> Change:
        """Make `draft` the settings in force, and tell what that has changed.

        A login by OAuth2 stays where a stored password would. Settings equal to those in force
        get an audit event and no new revision. Raises `RevisionConflictError`, and
        `InvalidSettingsError` on the password where none that may stay is stored.
        """

        async def work(tx: Transaction) -> Change:
            await tx.lock(portal_id)
            current = await matching_revision(tx, portal_id, if_match)
            settings = with_oauth2(draft, current.settings)
            stored = self._writer.password_for(settings, current)
            password = stored if draft.keeps_password else draft.password
            if draft.keeps_password and password is None:
                raise InvalidSettingsError({"password": [NOTHING_STORED]})
            wanted = Wanted(
                settings, password, stored == password, oauth2_revision=current.oauth2_revision
            )
            return await self._writer.put_in_force(tx, current, wanted, by)

        return await self._database.transact(work)

    async def reset(self, portal_id: str, by: Actor, if_match: IfMatch = None) -> Revision:
        """Put the installation's default in force and return its revision.

        A portal without settings of its own gets an audit event and no new revision. Raises
        `RevisionConflictError`.
        """

        async def work(tx: Transaction) -> Revision:
            await tx.lock(portal_id)
            current = await matching_revision(tx, portal_id, if_match)
            wanted = Wanted(None, event="settings.reset")
            return (await self._writer.put_in_force(tx, current, wanted, by)).after

        return await self._database.transact(work)

    async def restore(
        self, portal_id: str, number: int, by: Actor, if_match: IfMatch = None
    ) -> Revision:
        """Make the settings of an earlier revision those in force, as a save does.

        Its password comes back too: it is sealed to the destination that these settings have;
        and so does its OAuth2, with the refresh token that it had last. Restoring a reset resets.
        Raises `NoSuchRevisionError`, `RevisionConflictError`, and `InvalidSettingsError` on the
        password where that does not open.
        """

        async def work(tx: Transaction) -> Revision:
            await tx.lock(portal_id)
            past = await revision_of(tx, portal_id, number)
            if past is None:
                raise NoSuchRevisionError
            current = await matching_revision(tx, portal_id, if_match)
            password = self._writer.password(past)
            if past.sealed_password is not None and password is None:
                raise InvalidSettingsError({"password": [NO_LONGER_OPENS]})
            wanted = Wanted(
                past.settings,
                password,
                self._writer.password_for(past.settings, current) == password,
                restored=number,
                oauth2_revision=past.oauth2_revision,
                event="settings.restored",
            )
            return (await self._writer.put_in_force(tx, current, wanted, by)).after

        return await self._database.transact(work)

    async def note_active_key(self, in_ring: Collection[str]) -> bool:
        """Write down that passwords will be sealed with the ring's active key.

        Return False, and write nothing, where others are in use and none of them is `in_ring`:
        of processes that each make a ring for a new database, the first one's counts.
        """
        key, now = self._key_ring.active, self._clock.now()
        if key in await keys_in_use(self._database):
            return True

        async def work(tx: Transaction) -> bool:
            await tx.lock("sealing keys")
            in_use = {row[0] for row in await tx.fetch(_KEYS)}
            if in_use and in_use.isdisjoint(in_ring):
                return False
            await use_key(tx, key, now)
            return True

        return await self._database.transact(work)


async def keys_in_use(database: Database) -> frozenset[str]:
    """Return the ids of all ring keys that passwords in `database` were sealed with."""
    return frozenset(row[0] for row in await database.fetch(_KEYS))
