"""OAuth2 in place of a password: set up and ended as revisions of the settings, and looked at.

What is typed is judged inside the transaction, against the settings in force at that moment: they
say which relay it is, and whether a stored secret may stay.
"""

import asyncio

import msgspec

from smarthost.audit.model import Actor
from smarthost.audit.store import AuditLog
from smarthost.clock import Clock
from smarthost.database.engine import Database, Transaction
from smarthost.smtp_settings.binding.kept import Stored
from smarthost.smtp_settings.binding.model import (
    BindingInput,
    BindingStatus,
    KnownEndPoints,
    NoOwnSettingsError,
)
from smarthost.smtp_settings.binding.rules import Checked, check_binding
from smarthost.smtp_settings.binding.sealing import binding_in, to_be_sealed
from smarthost.smtp_settings.binding.service_account import (
    ServiceAccount,
    read_service_account,
)
from smarthost.smtp_settings.binding.tokens.store import TokenStore, look_again
from smarthost.smtp_settings.model import Faults, InvalidSettingsError, Revision, SmtpSettings
from smarthost.smtp_settings.sealing import SealBrokenError, Sealer
from smarthost.smtp_settings.store import nothing_more
from smarthost.smtp_settings.writing.store import (
    BOUND,
    ENDED,
    IfMatch,
    InEachSave,
    RevisionWriter,
    Wanted,
    current_revision,
    matching_revision,
    revision_of,
)

_LAST_BOUND = """
SELECT revision FROM smtp_settings_revisions
WHERE portal_id = $1 AND oauth2 IS NOT NULL ORDER BY revision DESC LIMIT 1"""


class BindingStore:
    """Reads and changes portals' OAuth2."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        clock: Clock,
        key_ring: Sealer,
        known: KnownEndPoints,
        in_each_save: InEachSave = nothing_more,
    ) -> None:
        self._database = database
        self._known = known
        self._tokens = TokenStore(database, clock, key_ring)
        self._writer = RevisionWriter(audit, clock, key_ring, in_each_save)

    async def status(self, portal_id: str) -> BindingStatus:
        """Return how the portal's OAuth2 stands."""
        current = await current_revision(self._database, portal_id)
        if current.oauth2_revision is not None:
            state = await self._tokens.state(portal_id, current.oauth2_revision)
            return BindingStatus(in_force=current, tokens=state)
        rows = await self._database.fetch(_LAST_BOUND, portal_id)
        ended = await revision_of(self._database, portal_id, rows[0][0] + 1) if rows else None
        return BindingStatus(in_force=current, ended=ended)

    async def bind(
        self,
        portal_id: str,
        typed: BindingInput,
        by: Actor,
        if_match: IfMatch = None,
        *,
        unread: frozenset[str] = frozenset(),
    ) -> Revision:
        """Log in to the relay in force by OAuth2, and return the revision that says so.

        An equal binding gets an audit event and no new revision. `unread` is that of
        `rules.check_binding`; with some nothing is written. Raises `InvalidSettingsError` with
        every wrong field, `NoOwnSettingsError`, `RevisionConflictError`.
        """
        account, faults = await _account(typed)
        unread |= faults.keys()

        async def work(tx: Transaction) -> Revision:
            await tx.lock(portal_id)
            current = await current_revision(tx, portal_id)
            if current.settings is not None:
                checked = self._checked(typed, account, current, unread, faults)
                await matching_revision(tx, portal_id, if_match)
                return await self._bind(tx, current, current.settings, checked, by)
            if unread:
                raise InvalidSettingsError(faults)
            await matching_revision(tx, portal_id, if_match)
            raise NoOwnSettingsError

        return await self._database.transact(work)

    async def end(self, portal_id: str, by: Actor, if_match: IfMatch = None) -> Revision:
        """Log in to the relay no more, and return the revision in force then.

        Settings without OAuth2 stay as they are. Raises `RevisionConflictError`.
        """

        async def work(tx: Transaction) -> Revision:
            await tx.lock(portal_id)
            current = await matching_revision(tx, portal_id, if_match)
            if current.settings is None or current.settings.oauth2 is None:
                return current
            settings = msgspec.structs.replace(
                current.settings, enable_auth=False, user_name=None, oauth2=None
            )
            wanted = Wanted(settings, event=ENDED)
            return (await self._writer.put_in_force(tx, current, wanted, by)).after

        return await self._database.transact(work)

    def _checked(
        self,
        typed: BindingInput,
        account: ServiceAccount | None,
        current: Revision,
        unread: frozenset[str],
        faults: Faults,
    ) -> Checked:
        try:
            stored = self._stored(current)
            return check_binding(typed, account, stored, self._known, unread=unread)
        except InvalidSettingsError as error:
            raise InvalidSettingsError({**error.faults, **faults}) from None

    def _stored(self, current: Revision) -> Stored:
        settings = current.settings
        assert settings is not None  # noqa: S101 - its caller has seen to it
        text = self._writer.password(current) if settings.oauth2 is not None else None
        try:
            return Stored(settings, None if text is None else binding_in(text))
        except SealBrokenError:
            return Stored(settings, None)

    async def _bind(
        self,
        tx: Transaction,
        current: Revision,
        settings: SmtpSettings,
        checked: Checked,
        by: Actor,
    ) -> Revision:
        bound = msgspec.structs.replace(
            settings,
            enable_auth=True,
            user_name=checked.user_name,
            oauth2=checked.binding.oauth2,
        )
        text = to_be_sealed(checked.binding)
        wanted = Wanted(
            bound,
            text,
            self._writer.password_for(bound, current) == text,
            oauth2_revision=current.oauth2_revision if checked.keeps_tokens else None,
            event=BOUND,
        )
        change = await self._writer.put_in_force(tx, current, wanted, by)
        if change.after is not current and checked.keeps_tokens:
            await look_again(tx, change.after)
        return change.after


async def _account(typed: BindingInput) -> tuple[ServiceAccount | None, Faults]:
    """Read a service account that was typed, beside the event loop: keys take their time."""
    if not typed.service_account:
        return None, {}
    try:
        return await asyncio.to_thread(read_service_account, typed.service_account), {}
    except ValueError as error:
        return None, {"service_account": [str(error)]}
