"""The contract's main end points: the portal's SMTP settings, read, saved and reset.

The names and rules of the fields are those of the DocSpace API; the rules themselves are in
`smtp_settings/rules.py`, so that the command line has the same.
"""

from typing import Annotated

import msgspec

from smarthost.portals.access import Action
from smarthost.portals.model import Caller
from smarthost.secret import Secret
from smarthost.smtp_settings.model import (
    DEFAULT_PORT,
    InvalidSettingsError,
    Revision,
    SettingsInput,
    SmtpSettings,
)
from smarthost.smtp_settings.rules import LONGEST_TEXT, check
from smarthost.smtp_settings.store import SettingsStore
from smarthost.web.decoding import Decoded
from smarthost.web.operations import Answer, Call, Example, Operation
from smarthost.web.preconditions import entity_tag

PATH = "/api/2.0/smtpsettings/smtp"
TAG = "SMTP settings"

Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Digits = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,5}$")]


class SmtpSettingsDto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The settings in force. Fields without a value are left out."""

    host: Text | msgspec.UnsetType = msgspec.UNSET
    port: Port = DEFAULT_PORT
    sender_address: Text | msgspec.UnsetType = msgspec.UNSET
    sender_display_name: Text | msgspec.UnsetType = msgspec.UNSET
    credentials_user_name: Text | msgspec.UnsetType = msgspec.UNSET
    credentials_user_password: str = ""
    enable_ssl: bool = msgspec.field(default=False, name="enableSSL")
    enable_auth: bool = False
    use_ntlm: bool = False
    is_default_settings: bool = False


class SmtpSettingsRequestDto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The settings to save."""

    host: Text | None = None
    port: Port | Digits | None = None
    sender_address: Text | None = None
    sender_display_name: Text | None = None
    credentials_user_name: Text | None = None
    credentials_user_password: Secret | None = None
    enable_ssl: bool = msgspec.field(default=False, name="enableSSL")
    enable_auth: bool = False
    use_ntlm: bool = False
    is_default_settings: bool = False
    """Taken and ignored: official clients send back what they have read."""

    def typed(self) -> SettingsInput:
        """Return what was typed, for the rules."""
        return SettingsInput(
            host=self.host,
            port=None if self.port is None else int(self.port),
            sender_address=self.sender_address,
            sender_display_name=self.sender_display_name,
            user_name=self.credentials_user_name,
            password=self.credentials_user_password,
            enable_ssl=self.enable_ssl,
            enable_auth=self.enable_auth,
            use_ntlm=self.use_ntlm,
        )


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
"""The fields of `SettingsInput` by the names of the contract."""


_EXAMPLE = {
    "host": "mail.example.com",
    "port": 587,
    "senderAddress": "notify@example.com",
    "senderDisplayName": "Postman",
    "credentialsUserName": "notify@example.com",
    "enableSSL": True,
    "enableAuth": True,
}
BODY_EXAMPLES = {
    "login": Example(
        summary="A relay with TLS and a login",
        value={**_EXAMPLE, "credentialsUserPassword": "correct horse battery staple"},
    ),
    "open": Example(
        summary="A relay that takes mail from this machine without a login",
        value={"host": "192.0.2.25", "port": 25, "senderAddress": "notify@example.com"},
    ),
}
ANSWER_EXAMPLES = {
    "login": Example(
        summary="Settings of the portal's own",
        value={
            **_EXAMPLE,
            "credentialsUserPassword": "",
            "useNtlm": False,
            "isDefaultSettings": False,
        },
    ),
}


def settings_dto(revision: Revision, default: SmtpSettings | None) -> SmtpSettingsDto:
    """Return how a revision is answered; `default` is what is shown of the default relay."""
    settings = revision.settings or default
    is_default = revision.settings is None
    if settings is None:
        return SmtpSettingsDto(is_default_settings=is_default)
    return SmtpSettingsDto(
        host=settings.host,
        port=settings.port,
        sender_address=settings.sender_address,
        sender_display_name=settings.sender_display_name or msgspec.UNSET,
        credentials_user_name=settings.user_name or msgspec.UNSET,
        enable_ssl=settings.enable_ssl,
        enable_auth=settings.enable_auth,
        use_ntlm=settings.use_ntlm,
        is_default_settings=is_default,
    )


class SmtpSettingsApi:
    """The end points."""

    def __init__(self, store: SettingsStore, shown_default: SmtpSettings | None) -> None:
        """Take what a portal may see of the installation's default relay, None for nothing."""
        self._store = store
        self._default = shown_default

    async def read(self, call: Call[Caller]) -> Answer:
        """Answer the settings in force."""
        return self._answer(await self._store.current(call.portal.id))

    async def save(self, call: Call[Caller]) -> Answer:
        """Save the settings and answer what was stored."""
        body: Decoded[SmtpSettingsRequestDto] = call.body
        try:
            typed = body.value.typed()
            current = await self._store.current(call.portal.id)
            draft = check(typed, current.settings)
            body.checked()
            revision = await self._store.save(call.portal.id, draft, call.actor, call.if_match)
        except InvalidSettingsError as error:
            faults = {CONTRACT_NAMES[name]: told for name, told in error.faults.items()}
            raise body.with_faults(faults) from None
        return self._answer(revision)

    async def reset(self, call: Call[Caller]) -> Answer:
        """Put the installation's default in force and answer what that is."""
        return self._answer(await self._store.reset(call.portal.id, call.actor, call.if_match))

    def _answer(self, revision: Revision) -> Answer:
        return Answer(
            value=settings_dto(revision, self._default),
            headers={"ETag": entity_tag(revision.number)},
        )

    def operations(self) -> list[Operation]:
        """Return the rows of the table of operations."""
        return [
            Operation(
                operation_id="getSmtpSettings",
                method="GET",
                path=PATH,
                tag=TAG,
                summary="Get the SMTP settings",
                description="The settings in force for the current portal. The password is "
                "always empty; an absent field has no value.",
                handler=self.read,
                action=Action.READ_SETTINGS,
                answer=SmtpSettingsDto,
                entity_tagged=True,
                answer_examples=ANSWER_EXAMPLES,
            ),
            Operation(
                operation_id="saveSmtpSettings",
                method="POST",
                path=PATH,
                tag=TAG,
                summary="Save the SMTP settings",
                description="Saves the settings for the current portal; the next message uses "
                "them. No connection is made. With an empty password the stored one stays if "
                "host, port, enableSSL, useNtlm and the user name are unchanged.",
                handler=self.save,
                action=Action.CHANGE_SETTINGS,
                body=SmtpSettingsRequestDto,
                answer=SmtpSettingsDto,
                entity_tagged=True,
                conditional=True,
                body_examples=BODY_EXAMPLES,
                answer_examples=ANSWER_EXAMPLES,
            ),
            Operation(
                operation_id="resetSmtpSettings",
                method="DELETE",
                path=PATH,
                tag=TAG,
                summary="Reset the SMTP settings",
                description="Goes back to the installation's default and answers what is in "
                "force now.",
                handler=self.reset,
                action=Action.CHANGE_SETTINGS,
                answer=SmtpSettingsDto,
                entity_tagged=True,
                conditional=True,
            ),
        ]
