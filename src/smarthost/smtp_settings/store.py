"""The rows of settings: immutable revisions, each written with its audit event.

A save decides inside its transaction, against the revision that is in force at that moment:
whether the caller has seen it (If-Match), whether an empty password may stay, and whether
anything changes at all.
"""

from collections.abc import Awaitable, Callable

from smarthost.audit.model import Actor, Event
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Row, Transaction
from smarthost.secret import Secret
from smarthost.smtp_settings.model import (
    Draft,
    InvalidSettingsError,
    Revision,
    RevisionAction,
    RevisionConflictError,
    SmtpSettings,
    no_revision,
)
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
     sender_display_name, user_name, enable_ssl, enable_auth, use_ntlm, sealed_password)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"""
_USE_KEY = """
INSERT INTO sealing_keys (key_id, first_used_at) VALUES ($1, $2) ON CONFLICT DO NOTHING"""
_KEYS = "SELECT key_id FROM sealing_keys"

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
            # Another destination's password is none here, not even to compare with.
            same = same_destination(current.settings, draft.settings)
            stored = self._password(current) if same else None
            password = stored if draft.keeps_password else draft.password
            if draft.keeps_password and password is None:
                raise InvalidSettingsError({"password": [NOTHING_STORED]})
            if current.settings == draft.settings and stored == password:
                await self._record(tx, "settings.saved", current, by, changed=[])
                return current
            changed = _changed(current.settings, draft.settings)
            if stored != password:
                changed.append("password")
            return await self._write(tx, current, draft.settings, password, by, changed)

        return await self._database.transact(work)

    async def reset(self, portal_id: str, by: Actor, if_match: IfMatch = None) -> Revision:
        """Put the installation's default in force and return its revision.

        A portal without settings of its own gets an audit event and no new revision. Raises
        `RevisionConflictError`.
        """

        async def work(tx: Transaction) -> Revision:
            current = await self._matching(tx, portal_id, if_match)
            if current.settings is None:
                await self._record(tx, "settings.reset", current, by, changed=[])
                return current
            return await self._write(tx, current, None, None, by, _changed(current.settings, None))

        return await self._database.transact(work)

    async def note_active_key(self) -> None:
        """Write down that passwords will be sealed with the ring's active key."""
        key, now = self._key_ring.active, self._clock.now()
        if key in await keys_in_use(self._database):
            return

        async def work(tx: Transaction) -> None:
            await tx.execute(_USE_KEY, key, now)

        await self._database.transact(work)

    async def _matching(self, tx: Transaction, portal_id: str, if_match: IfMatch) -> Revision:
        rows = await tx.fetch(_CURRENT, portal_id)
        current = read_revision(rows[0]) if rows else no_revision(portal_id)
        if if_match is not None and current.number not in if_match:
            raise RevisionConflictError(current)
        return current

    def _password(self, revision: Revision) -> Secret | None:
        """Return the stored password; None if there is none or it does not open."""
        if revision.settings is None or revision.sealed_password is None:
            return None
        try:
            destination = revision.settings.destination(revision.portal_id)
            return self._key_ring.open(revision.sealed_password, destination)
        except SealBrokenError:
            return None

    async def _write(
        self,
        tx: Transaction,
        current: Revision,
        settings: SmtpSettings | None,
        password: Secret | None,
        by: Actor,
        changed: list[str],
    ) -> Revision:
        sealed = None
        if settings is not None and password is not None:
            sealed = self._key_ring.seal(password, settings.destination(current.portal_id))
            await note_key(tx, sealed, self._clock.now())
        action = RevisionAction.RESET if settings is None else RevisionAction.SAVE
        revision = Revision(
            portal_id=current.portal_id,
            number=current.number + 1,
            action=action,
            saved_at=self._clock.now(),
            saved_by=by.name,
            settings=settings,
            sealed_password=sealed,
        )
        await tx.execute(_INSERT, *_row(revision))
        await self._in_each_save(tx, revision.portal_id)
        done = "settings.reset" if settings is None else "settings.saved"
        await self._record(tx, done, revision, by, changed)
        return revision

    async def _record(
        self, tx: Transaction, action: str, revision: Revision, by: Actor, changed: list[str]
    ) -> None:
        event = Event(
            portal_id=revision.portal_id,
            action=action,
            subject=str(revision.number),
            details={"changed": changed},
        )
        await self._audit.record(tx, event, by)


async def note_key(tx: Transaction, blob: bytes, now: int) -> None:
    """Write down, where a blob is written, which key it was sealed with.

    The ring may have got another key since the start.
    """
    await tx.execute(_USE_KEY, key_of(blob), now)


async def keys_in_use(database: Database) -> frozenset[str]:
    """Return the ids of all ring keys that passwords in `database` were sealed with."""
    return frozenset(row[0] for row in await database.fetch(_KEYS))


def _changed(before: SmtpSettings | None, after: SmtpSettings | None) -> list[str]:
    fields = SmtpSettings.__struct_fields__
    return [name for name in fields if getattr(before, name, None) != getattr(after, name, None)]


def _row(revision: Revision) -> tuple[str | int | bytes | None, ...]:
    settings = revision.settings
    return (
        revision.portal_id,
        revision.number,
        revision.action.value,
        revision.saved_at,
        revision.saved_by,
        *((None,) * 8 if settings is None else _columns(settings)),
        revision.sealed_password,
    )


def _columns(settings: SmtpSettings) -> tuple[str | int | None, ...]:
    return (
        settings.host,
        settings.port,
        settings.sender_address,
        settings.sender_display_name,
        settings.user_name,
        int(settings.enable_ssl),
        int(settings.enable_auth),
        int(settings.use_ntlm),
    )


def read_revision(row: Row) -> Revision:
    """Make a revision from the columns in the order of `_CURRENT`."""
    settings = None
    if row[5] is not None:
        settings = SmtpSettings(
            host=row[5],
            port=row[6],
            sender_address=row[7],
            sender_display_name=row[8],
            user_name=row[9],
            enable_ssl=bool(row[10]),
            enable_auth=bool(row[11]),
            use_ntlm=bool(row[12]),
        )
    return Revision(
        portal_id=row[0],
        number=row[1],
        action=RevisionAction(row[2]),
        saved_at=row[3],
        saved_by=row[4],
        settings=settings,
        sealed_password=row[13],
    )
