"""The rows of settings: immutable revisions, each written with its audit event.

A save decides inside its transaction, against the revision that is in force at that moment:
whether the caller has seen it (If-Match), whether an empty password may stay, and whether
anything changes at all.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.secret import Secret
from smarthost.smtp_settings.history.store import Reader, conflict, page
from smarthost.smtp_settings.model import (
    Draft,
    InvalidSettingsError,
    NoSuchRevisionError,
    PastRevision,
    Revision,
    RevisionAction,
    SmtpSettings,
    changed_fields,
    no_revision,
)
from smarthost.smtp_settings.rows import read_revision, revision_row
from smarthost.smtp_settings.rules import NOTHING_STORED, same_destination
from smarthost.smtp_settings.sealing import SealBrokenError, Sealer, key_of

_CURRENT = """
SELECT portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
       sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, sealed_password
FROM smtp_settings_revisions WHERE portal_id = $1 ORDER BY revision DESC LIMIT 1"""
_REVISION = """
SELECT portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
       sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, sealed_password
FROM smtp_settings_revisions WHERE portal_id = $1 AND revision = $2"""
_INSERT = """
INSERT INTO smtp_settings_revisions
    (portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
     sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, sealed_password, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"""
_USE_KEY = """
INSERT INTO sealing_keys (key_id, first_used_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"""
_KEYS = "SELECT key_id FROM sealing_keys"

NO_LONGER_OPENS = (
    "The password of this revision does not open any more: it was altered, or its key is not in "
    "the key ring. Save these settings with the password typed again."
)

IfMatch = frozenset[int] | None
"""The revisions that a change may be made to; None: to any."""

InEachSave = Callable[[Transaction, str], Awaitable[None]]
"""Is called with the portal's id in the transaction that writes a new revision of its settings."""


async def _nothing_more(_tx: Transaction, _portal_id: str) -> None:
    """Leave a save as it is."""


class SettingsStore:
    """Reads and changes portals' settings."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        clock: Clock,
        key_ring: Sealer,
        in_each_save: InEachSave = _nothing_more,
    ) -> None:
        self._in_each_save = in_each_save
        self._database = database
        self._audit = audit
        self._clock = clock
        self._key_ring = key_ring

    async def current(self, portal_id: str) -> Revision:
        """Return the revision in force, 0 if the portal has never saved anything."""
        rows = await self._database.fetch(_CURRENT, portal_id)
        return read_revision(rows[0]) if rows else no_revision(portal_id)

    async def revision(self, portal_id: str, number: int) -> Revision:
        """Return a revision by its number; one that was never written holds no settings."""
        rows = await self._database.fetch(_REVISION, portal_id, number)
        return read_revision(rows[0]) if rows else no_revision(portal_id)

    async def history(
        self, portal_id: str, *, before: int | None = None, limit: int
    ) -> list[PastRevision]:
        """Return at most `limit` revisions, newest first: those older than `before`, or all."""
        return await page(self._database, portal_id, before=before, limit=limit)

    async def matching(self, portal_id: str, if_match: IfMatch) -> Revision:
        """Return the revision in force if a change may be made to it.

        Raises `RevisionConflictError`; what is changed is looked at once more as it is written.
        """
        return await self._matching(self._database, portal_id, if_match)

    async def save(
        self, portal_id: str, draft: Draft, by: Actor, if_match: IfMatch = None
    ) -> Revision:
        """Make `draft` the settings in force and return their revision.

        Settings equal to those in force get an audit event and no new revision. Raises
        `RevisionConflictError`, and `InvalidSettingsError` on the password where none that may
        stay is stored.
        """

        async def work(tx: Transaction) -> Revision:
            current = await self._matching(tx, portal_id, if_match)
            stored = self._password_for(draft.settings, current)
            password = stored if draft.keeps_password else draft.password
            if draft.keeps_password and password is None:
                raise InvalidSettingsError({"password": [NOTHING_STORED]})
            wanted = _Wanted(draft.settings, password, stored == password)
            return await self._put_in_force(tx, current, wanted, by)

        return await self._database.transact(work)

    async def reset(self, portal_id: str, by: Actor, if_match: IfMatch = None) -> Revision:
        """Put the installation's default in force and return its revision.

        A portal without settings of its own gets an audit event and no new revision. Raises
        `RevisionConflictError`.
        """

        async def work(tx: Transaction) -> Revision:
            current = await self._matching(tx, portal_id, if_match)
            return await self._put_in_force(tx, current, _Wanted(None), by)

        return await self._database.transact(work)

    async def restore(
        self, portal_id: str, number: int, by: Actor, if_match: IfMatch = None
    ) -> Revision:
        """Make the settings of an earlier revision those in force, as a save does.

        Its password comes back too: it is sealed to the destination that these settings have.
        Restoring a reset resets. Raises `NoSuchRevisionError`, `RevisionConflictError`, and
        `InvalidSettingsError` on the password where that does not open.
        """

        async def work(tx: Transaction) -> Revision:
            rows = await tx.fetch(_REVISION, portal_id, number)
            if not rows:
                raise NoSuchRevisionError
            past = read_revision(rows[0])
            current = await self._matching(tx, portal_id, if_match)
            password = self._password(past)
            if past.sealed_password is not None and password is None:
                raise InvalidSettingsError({"password": [NO_LONGER_OPENS]})
            stored = self._password_for(past.settings, current)
            wanted = _Wanted(past.settings, password, stored == password, restored=number)
            return await self._put_in_force(tx, current, wanted, by)

        return await self._database.transact(work)

    async def note_active_key(self) -> None:
        """Write down that passwords will be sealed with the ring's active key."""
        key, now = self._key_ring.active, self._clock.now()
        if key in await keys_in_use(self._database):
            return

        async def work(tx: Transaction) -> None:
            await tx.execute(_USE_KEY, key, now)

        await self._database.transact(work)

    async def _matching(self, reader: Reader, portal_id: str, if_match: IfMatch) -> Revision:
        rows = await reader.fetch(_CURRENT, portal_id)
        current = read_revision(rows[0]) if rows else no_revision(portal_id)
        if if_match is not None and current.number not in if_match:
            raise await conflict(reader, current, if_match)
        return current

    def _password_for(self, settings: SmtpSettings | None, current: Revision) -> Secret | None:
        """Return the stored password if it may be used with `settings`."""
        # Another destination's password is none here, not even to compare with.
        if settings is None or not same_destination(current.settings, settings):
            return None
        return self._password(current)

    def _password(self, revision: Revision) -> Secret | None:
        """Return the stored password; None if there is none or it does not open."""
        if revision.settings is None or revision.sealed_password is None:
            return None
        try:
            destination = revision.settings.destination(revision.portal_id)
            return self._key_ring.open(revision.sealed_password, destination)
        except SealBrokenError:
            return None

    async def _put_in_force(
        self, tx: Transaction, current: Revision, wanted: "_Wanted", by: Actor
    ) -> Revision:
        changed = changed_fields(current.settings, wanted.settings)
        if not wanted.has_stored_password:
            changed.append("password")
        revision = current
        if changed:
            revision = await self._write(tx, current, wanted, by, changed)
        await self._record(tx, revision, wanted, by, changed)
        return revision

    async def _write(
        self,
        tx: Transaction,
        current: Revision,
        wanted: "_Wanted",
        by: Actor,
        changed: list[str],
    ) -> Revision:
        settings, sealed = wanted.settings, None
        if settings is not None and wanted.password is not None:
            sealed = self._key_ring.seal(wanted.password, settings.destination(current.portal_id))
            await note_key(tx, sealed, self._clock.now())
        revision = Revision(
            portal_id=current.portal_id,
            number=current.number + 1,
            action=wanted.action,
            saved_at=self._clock.now(),
            saved_by=by.name,
            settings=settings,
            sealed_password=sealed,
        )
        names = msgspec.json.encode(changed).decode()
        await tx.execute(_INSERT, *revision_row(revision), names)
        await self._in_each_save(tx, revision.portal_id)
        return revision

    async def _record(
        self,
        tx: Transaction,
        revision: Revision,
        wanted: "_Wanted",
        by: Actor,
        changed: list[str],
    ) -> None:
        source = {} if wanted.restored is None else {"from": wanted.restored}
        event = Event(
            portal_id=revision.portal_id,
            action=wanted.event,
            subject=str(revision.number),
            details={"changed": changed, **source},
        )
        await self._audit.record(tx, event, by)


class _Wanted(NamedTuple):
    """What is to be in force, and why."""

    settings: SmtpSettings | None
    password: Secret | None = None
    has_stored_password: bool = True
    """The password is the one that is stored already, or there is none in either place."""
    restored: int | None = None
    """The revision that this comes from, None for what was typed or reset."""

    @property
    def action(self) -> RevisionAction:
        """What makes the new revision: the settings of a reset are none, whatever brings them."""
        if self.settings is None:
            return RevisionAction.RESET
        return RevisionAction.SAVE if self.restored is None else RevisionAction.RESTORE

    @property
    def event(self) -> str:
        """What the audit calls it."""
        if self.restored is not None:
            return "settings.restored"
        return "settings.reset" if self.settings is None else "settings.saved"


async def note_key(tx: Transaction, blob: bytes, now: int) -> None:
    """Write down, where a blob is written, which key it was sealed with.

    The ring may have got another key since the start.
    """
    await tx.execute(_USE_KEY, key_of(blob), now)


async def keys_in_use(database: Database) -> frozenset[str]:
    """Return the ids of all ring keys that passwords in `database` were sealed with."""
    return frozenset(row[0] for row in await database.fetch(_KEYS))
