"""Writes a revision with its audit events, inside the transaction that has decided about it.

Whatever changes the settings ends here: a save, a reset, a restore, and OAuth2 that is set up or
ended.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Transaction
from smarthost.secret import Secret
from smarthost.smtp_settings.binding.sealing import opened
from smarthost.smtp_settings.history.store import Reader, conflict
from smarthost.smtp_settings.model import (
    Change,
    Revision,
    RevisionAction,
    SmtpSettings,
    changed_fields,
    no_revision,
)
from smarthost.smtp_settings.rows import read_revision, revision_row
from smarthost.smtp_settings.rules import same_destination
from smarthost.smtp_settings.sealing import SealBrokenError, Sealer, key_of

_CURRENT = """
SELECT portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
       sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, oauth2, oauth2_revision,
       sealed_password
FROM smtp_settings_revisions WHERE portal_id = $1 ORDER BY revision DESC LIMIT 1"""
_REVISION = """
SELECT portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
       sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, oauth2, oauth2_revision,
       sealed_password
FROM smtp_settings_revisions WHERE portal_id = $1 AND revision = $2"""
_INSERT = """
INSERT INTO smtp_settings_revisions
    (portal_id, revision, action, saved_at, saved_by, host, port, sender_address,
     sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, oauth2, oauth2_revision,
     sealed_password, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"""
_USE_KEY = """
INSERT INTO sealing_keys (key_id, first_used_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"""

BOUND = "settings.oauth2_bound"
ENDED = "settings.oauth2_ended"
"""What the audit calls a login by OAuth2 that is set up or ended, by whatever change."""

IfMatch = frozenset[int] | None
"""The revisions that a change may be made to; None: to any."""

InEachSave = Callable[[Transaction, str], Awaitable[None]]
"""Is called with the portal's id in the transaction that writes a new revision of its settings."""


class Wanted(NamedTuple):
    """What is to be in force, and why."""

    settings: SmtpSettings | None
    password: Secret | None = None
    """What is to be sealed: with OAuth2 the text of the binding."""
    has_stored_password: bool = True
    """The password is the one that is stored already, or there is none in either place."""
    restored: int | None = None
    """The revision that this comes from, None for what was typed or reset."""
    oauth2_revision: int | None = None
    """Where its tokens are kept; None with OAuth2: a new place."""
    event: str = "settings.saved"
    """What the audit calls it."""

    @property
    def action(self) -> RevisionAction:
        """What makes the new revision: the settings of a reset are none, whatever brings them."""
        if self.settings is None:
            return RevisionAction.RESET
        return RevisionAction.SAVE if self.restored is None else RevisionAction.RESTORE


class RevisionWriter:
    """Puts settings in force."""

    def __init__(
        self, audit: AuditLog, clock: Clock, key_ring: Sealer, in_each_save: InEachSave
    ) -> None:
        self._audit = audit
        self._clock = clock
        self._key_ring = key_ring
        self._in_each_save = in_each_save

    async def put_in_force(
        self, tx: Transaction, current: Revision, wanted: Wanted, by: Actor
    ) -> Change:
        """Write a new revision if anything is other than in `current`, and what was done."""
        changed = changed_fields(current.settings, wanted.settings)
        if not wanted.has_stored_password:
            secret = "password" if _oauth2(wanted.settings) is None else "oauth2"
            changed += [] if secret in changed else [secret]
        revision = current
        if changed:
            revision = await self._write(tx, current, wanted, by, changed)
        change = Change(current, revision)
        await self._record(tx, change, wanted, by, changed)
        return change

    def password_for(self, settings: SmtpSettings | None, current: Revision) -> Secret | None:
        """Return the stored password if it may be used with `settings`."""
        # Another destination's password is none here, not even to compare with.
        if settings is None or not same_destination(current.settings, settings):
            return None
        return self.password(current)

    def password(self, revision: Revision) -> Secret | None:
        """Return the stored password; None if there is none or it does not open."""
        if revision.settings is None or revision.sealed_password is None:
            return None
        try:
            return opened(
                self._key_ring, revision.sealed_password, revision.settings, revision.portal_id
            )
        except SealBrokenError:
            return None

    async def _write(
        self, tx: Transaction, current: Revision, wanted: Wanted, by: Actor, changed: list[str]
    ) -> Revision:
        settings, sealed = wanted.settings, None
        if settings is not None and wanted.password is not None:
            sealed = self._key_ring.seal(wanted.password, settings.destination(current.portal_id))
            await note_key(tx, sealed, self._clock.now())
        number = current.number + 1
        has_oauth2 = _oauth2(settings) is not None
        revision = Revision(
            portal_id=current.portal_id,
            number=number,
            action=wanted.action,
            saved_at=self._clock.now(),
            saved_by=by.name,
            settings=settings,
            sealed_password=sealed,
            oauth2_revision=(wanted.oauth2_revision or number) if has_oauth2 else None,
        )
        names = msgspec.json.encode(changed).decode()
        await tx.execute(_INSERT, *revision_row(revision), names)
        await self._in_each_save(tx, revision.portal_id)
        return revision

    async def _record(
        self, tx: Transaction, change: Change, wanted: Wanted, by: Actor, changed: list[str]
    ) -> None:
        events = [wanted.event]
        if "oauth2" in changed:
            events.append(ENDED if _oauth2(wanted.settings) is None else BOUND)
        source = {} if wanted.restored is None else {"from": wanted.restored}
        for action in dict.fromkeys(events):
            event = Event(
                portal_id=change.after.portal_id,
                action=action,
                subject=str(change.after.number),
                details={"changed": changed, **source},
            )
            await self._audit.record(tx, event, by)


def _oauth2(settings: SmtpSettings | None) -> object | None:
    return None if settings is None else settings.oauth2


async def current_revision(reader: Reader, portal_id: str) -> Revision:
    """Return the revision in force, 0 if the portal has never saved anything."""
    rows = await reader.fetch(_CURRENT, portal_id)
    return read_revision(rows[0]) if rows else no_revision(portal_id)


async def revision_of(reader: Reader, portal_id: str, number: int) -> Revision | None:
    """Return a revision by its number, None for one that was never written."""
    rows = await reader.fetch(_REVISION, portal_id, number)
    return read_revision(rows[0]) if rows else None


async def matching_revision(reader: Reader, portal_id: str, if_match: IfMatch) -> Revision:
    """Return the revision in force if a change may be made to it.

    Raises `RevisionConflictError`.
    """
    current = await current_revision(reader, portal_id)
    if if_match is not None and current.number not in if_match:
        raise await conflict(reader, current, if_match)
    return current


async def note_key(tx: Transaction, blob: bytes, now: int) -> None:
    """Write down, where a blob is written, which key it was sealed with.

    The ring may have got another key since the start.
    """
    await use_key(tx, key_of(blob), now)


async def use_key(tx: Transaction, key: str, now: int) -> None:
    """Write down that a key of the ring is in use."""
    await tx.execute(_USE_KEY, key, now)
