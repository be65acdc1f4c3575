"""A portal's SMTP settings: what was typed, what is stored, and where a password may go.

`SmtpSettings` holds no password. That is kept apart as a sealed blob, bound to the `Destination`
that the settings describe, and opened only to be used there.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from smarthost.secret import Secret
from smarthost.smtp_settings.oauth2 import OAuth2

DEFAULT_PORT = 25


class Mechanism(StrEnum):
    """What a stored secret is used for at the relay."""

    PASSWORD = "password"  # noqa: S105 - the kind of secret, not one
    NTLM = "ntlm"
    OAUTH2 = "oauth2"
    """It gets a token, which is shown there; the secret itself goes to the token's end point."""


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """The one place that a password may be sent to, and as whose."""

    portal_id: str
    host: str
    port: int
    enable_ssl: bool
    mechanism: Mechanism
    user_name: str

    def parts(self) -> tuple[bytes, ...]:
        """Return all that the password is bound to, its purpose first."""
        return (
            b"smarthost smtp password",
            self.portal_id.encode(),
            self.host.encode(),
            str(self.port).encode(),
            b"tls" if self.enable_ssl else b"any",
            self.mechanism.encode(),
            self.user_name.encode(),
        )


class SmtpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A relay as it is stored: every rule of `rules.check` holds for it."""

    host: str
    """A name in lower-case A-labels, or an IP literal without brackets."""
    port: int
    sender_address: str
    sender_display_name: str | None
    user_name: str | None
    """There exactly if `enable_auth`."""
    enable_ssl: bool
    enable_auth: bool
    use_ntlm: bool
    oauth2: OAuth2 | None = None
    """Only with `enable_ssl` and `enable_auth`, and without `use_ntlm`: a token is shown in place
    of a password, and what is sealed is a `Binding`."""

    @property
    def mechanism(self) -> Mechanism:
        """What the stored secret is used for; only asked for with `enable_auth`."""
        if self.oauth2 is not None:
            return Mechanism.OAUTH2
        return Mechanism.NTLM if self.use_ntlm else Mechanism.PASSWORD

    def destination(self, portal_id: str) -> Destination:
        """Return where this portal's password goes; only asked for with `enable_auth`."""
        return Destination(
            portal_id=portal_id,
            host=self.host,
            port=self.port,
            enable_ssl=self.enable_ssl,
            mechanism=self.mechanism,
            user_name=self.user_name or "",
        )


class SettingsInput(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody typed, each value of the right type but not yet looked at."""

    host: str | None = None
    port: int | None = None
    sender_address: str | None = None
    sender_display_name: str | None = None
    user_name: str | None = None
    password: Secret | None = None
    enable_ssl: bool = False
    enable_auth: bool = False
    use_ntlm: bool = False


CONTRACT_NAMES = {
    "host": "host",
    "port": "port",
    "sender_address": "senderAddress",
    "sender_display_name": "senderDisplayName",
    "user_name": "credentialsUserName",
    "password": "credentialsUserPassword",
    "enable_ssl": "enableSSL",
    "enable_auth": "enableAuth",
    "use_ntlm": "useNtlm",
}
"""The fields of `SettingsInput` by the names of the contract, in which people are told of them."""

CHANGED_NAMES = {**CONTRACT_NAMES, "oauth2": "oauth2"}
"""Likewise all that a revision can change; OAuth2 has an end point of its own."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """Settings to be saved, with the password if one was typed.

    With `enable_auth` and no password the stored one stays, which only its own destination
    allows.
    """

    settings: SmtpSettings
    password: Secret | None

    @property
    def keeps_password(self) -> bool:
        """Whether saving this needs the password that is stored."""
        return self.settings.enable_auth and self.password is None


class RevisionAction(StrEnum):
    """What made a revision."""

    SAVE = "save"
    RESET = "reset"
    RESTORE = "restore"


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable state of a portal's settings; revision 0 is the state before the first."""

    portal_id: str
    number: int
    action: RevisionAction
    saved_at: int
    """Microseconds since 1970, UTC."""
    saved_by: str
    settings: SmtpSettings | None
    """None: the installation's default relay is in force."""
    sealed_password: bytes | None
    """With OAuth2 the binding and its secrets."""
    oauth2_revision: int | None = None
    """The number of the revision that its tokens are kept under; there with OAuth2."""


def no_revision(portal_id: str) -> Revision:
    """Return the state of a portal that has never saved anything."""
    return Revision(
        portal_id=portal_id,
        number=0,
        action=RevisionAction.RESET,
        saved_at=0,
        saved_by="",
        settings=None,
        sealed_password=None,
    )


class Change(NamedTuple):
    """What a save has come to."""

    before: Revision
    after: Revision
    """The same one where nothing was changed."""

    @property
    def ends_oauth2(self) -> bool:
        """Whether the login was one by OAuth2, and is none any more."""
        before, after = self.before.settings, self.after.settings
        had = before is not None and before.oauth2 is not None
        return had and (after is None or after.oauth2 is None)


class PastRevision(msgspec.Struct, frozen=True, kw_only=True):
    """A revision as the history tells of it."""

    revision: Revision
    changed: tuple[str, ...]
    """The names of `CHANGED_NAMES` whose values are other than in the revision before.

    Of revisions that were written before schema version 8 `password` is not told.
    """


def changed_fields(before: SmtpSettings | None, after: SmtpSettings | None) -> list[str]:
    """Return the fields that have other values; without settings each has none."""
    fields = SmtpSettings.__struct_fields__
    return [name for name in fields if getattr(before, name, None) != getattr(after, name, None)]


class SmtpSettingsError(Exception):
    """Base of what this room refuses; the message is plain words for whoever asked."""


Faults = dict[str, list[str]]
"""What is wrong, by the name of the field of `SettingsInput`."""


class InvalidSettingsError(SmtpSettingsError):
    """Some fields are wrong: all of them, each with what is allowed."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("The settings are not valid.")
        self.faults = faults


class NoSuchRevisionError(SmtpSettingsError):
    """The portal has no revision of this number."""

    def __init__(self) -> None:
        super().__init__("There is no such revision. The history lists those that there are.")


class RevisionConflictError(SmtpSettingsError):
    """The settings are not the ones that the caller has seen."""

    def __init__(
        self, current: Revision, seen: int | None = None, since: tuple[PastRevision, ...] = ()
    ) -> None:
        """Tell what is in force, and what was written since.

        `seen` is the newest revision that the caller named and that is older than `current`, None
        if there is none. `since` are the newest revisions after it, oldest first, and need not be
        all of them.
        """
        super().__init__(_conflict(current, seen, since))
        self.current = current
        self.seen = seen
        self.since = since


_READ_AGAIN = "Read the settings again before you change them."
_DID = {
    RevisionAction.SAVE: "saved",
    RevisionAction.RESET: "reset",
    RevisionAction.RESTORE: "restored",
}


def _conflict(current: Revision, seen: int | None, since: tuple[PastRevision, ...]) -> str:
    if current.number == 0:
        return "These are not the settings in force: none have been saved yet. Read them again."
    if seen is None:
        return (
            "These are not the settings in force, which are revision "
            f"{current.number}, {_DID[current.action]} by {current.saved_by}. {_READ_AGAIN}"
        )
    told = [_told(past) for past in since]
    untold = current.number - seen - len(since)
    if untold:
        told.insert(0, "1 more change" if untold == 1 else f"{untold} more changes")
    return f"Since revision {seen}: {'; '.join(told)}. {_READ_AGAIN}"


def _told(past: PastRevision) -> str:
    revision = past.revision
    did = f"revision {revision.number} {_DID[revision.action]} by {revision.saved_by}"
    # A reset leaves nothing as it was.
    fields = () if revision.settings is None else past.changed
    return f"{did} ({', '.join(CHANGED_NAMES[name] for name in fields)})" if fields else did
