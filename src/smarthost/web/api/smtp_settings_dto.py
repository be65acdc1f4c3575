"""The contract's words for SMTP settings: what is sent and what is answered, field by field.

These types decode the requests and make the OpenAPI document, so the two cannot part. What a
field may hold beyond its type is said by the rules in `smtp_settings/rules.py`.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from smarthost.secret import Secret
from smarthost.smtp_settings.model import DEFAULT_PORT, Revision, SettingsInput, SmtpSettings
from smarthost.smtp_settings.rules import LONGEST_PASSWORD, LONGEST_TEXT
from smarthost.web.operations import NEEDED, Example

Text = Annotated[str, Meta(max_length=LONGEST_TEXT)]
Port = Annotated[int, Meta(ge=1, le=65535, extra_json_schema={"format": "int32"})]
# In Python `$` alone lets a line end pass; in JSON Schema's dialect the lookahead says nothing.
Digits = Annotated[str, Meta(pattern=r"^[0-9]{1,5}(?!\n)$")]


class SmtpSettingsDto(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The settings in force. Fields without a value are left out."""

    host: Annotated[
        Text | msgspec.UnsetType,
        Meta(description="The relay's name, in lower-case A-labels, or IP address."),
    ] = msgspec.UNSET
    port: Annotated[Port, Meta(description="The relay's port.")] = DEFAULT_PORT
    sender_address: Annotated[
        Text | msgspec.UnsetType, Meta(description="The address that mail is sent from.")
    ] = msgspec.UNSET
    sender_display_name: Annotated[
        Text | msgspec.UnsetType, Meta(description="The name beside it.")
    ] = msgspec.UNSET
    credentials_user_name: Annotated[
        Text | msgspec.UnsetType, Meta(description="Who logs in to the relay.")
    ] = msgspec.UNSET
    credentials_user_password: Annotated[
        Literal[""], Meta(description="Always empty: a stored password is never shown.")
    ] = ""
    enable_ssl: Annotated[bool, Meta(description="Whether TLS is required.")] = msgspec.field(
        default=False, name="enableSSL"
    )
    enable_auth: Annotated[bool, Meta(description="Whether the relay is logged in to.")] = False
    use_ntlm: Annotated[bool, Meta(description="Whether NTLM is used to log in.")] = False
    is_default_settings: Annotated[
        bool, Meta(description="True when the portal has no settings of its own.")
    ] = False


class SmtpSettingsRequestDto(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """The settings to save. Names match without regard to ASCII case."""

    host: Annotated[
        Text | None,
        Meta(
            description="Needed. The relay's host name or IP address; a name with other letters "
            "than ASCII is stored in A-labels.",
            extra=NEEDED,
        ),
    ] = None
    port: Annotated[
        Port | Digits | None,
        Meta(
            description="1 to 65535, as a number or as 1 to 5 digits of text; null or absent: "
            f"{DEFAULT_PORT}."
        ),
    ] = None
    sender_address: Annotated[
        Text | None,
        Meta(description="Needed. The one address that mail is sent from.", extra=NEEDED),
    ] = None
    sender_display_name: Annotated[
        Text | None, Meta(description="The name beside it; null or absent: none.")
    ] = None
    credentials_user_name: Annotated[
        Text | None, Meta(description="Who logs in to the relay. Needed with enableAuth.")
    ] = None
    credentials_user_password: Annotated[
        Secret | None,
        Meta(
            description=f"At most {LONGEST_PASSWORD} octets of UTF-8 without control characters. "
            "Empty or absent with enableAuth: the stored one stays if host, port, enableSSL, "
            "useNtlm and the user name are unchanged; else 400.",
            extra_json_schema={"maxLength": LONGEST_PASSWORD},
        ),
    ] = None
    enable_ssl: Annotated[
        bool,
        Meta(
            description="Requires TLS with a verified certificate: from the first octet on ports "
            "465 and 2465, by STARTTLS on others."
        ),
    ] = msgspec.field(default=False, name="enableSSL")
    enable_auth: Annotated[
        bool,
        Meta(
            description="Log in to the relay. When false, user name and password are not stored."
        ),
    ] = False
    use_ntlm: Annotated[bool, Meta(description="Log in with NTLM and nothing else.")] = False
    is_default_settings: Annotated[
        bool, Meta(description="Taken and ignored: clients send back what they have read.")
    ] = False

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


def settings_dto(revision: Revision, default: SmtpSettings | None) -> SmtpSettingsDto:
    """Return how a revision is answered; `default` is what is shown of the default relay."""
    settings = revision.settings or default
    is_default = revision.settings is None
    if settings is None:
        return SmtpSettingsDto(is_default_settings=is_default)
    return values_dto(settings, is_default=is_default)


def values_dto(settings: SmtpSettings, *, is_default: bool) -> SmtpSettingsDto:
    """Return how settings are answered; `is_default`: the portal has none of its own."""
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


_EXAMPLE = {
    "host": "mail.example.com",
    "port": 587,
    "senderAddress": "notify@example.com",
    "senderDisplayName": "Postman",
    "credentialsUserName": "notify@example.com",
    "enableSSL": True,
    "enableAuth": True,
}
_NOTHING_ON = {
    "credentialsUserPassword": "",
    "enableSSL": False,
    "enableAuth": False,
    "useNtlm": False,
}
BODY_EXAMPLES = {
    "login": Example(
        summary="A relay with TLS and a login",
        value={**_EXAMPLE, "credentialsUserPassword": "correct horse battery staple"},
    ),
    "open": Example(
        summary="A relay that takes mail from this machine without a login",
        value={"host": "192.0.2.25", "port": "25", "senderAddress": "notify@example.com"},
    ),
}
OWN_EXAMPLES = {
    "login": Example(
        summary="Settings of the portal's own",
        value={
            **_EXAMPLE,
            "credentialsUserPassword": "",
            "useNtlm": False,
            "isDefaultSettings": False,
        },
    ),
    "open": Example(
        summary="Settings without a login",
        value={
            "host": "192.0.2.25",
            "port": 25,
            "senderAddress": "notify@example.com",
            **_NOTHING_ON,
            "isDefaultSettings": False,
        },
    ),
}
DEFAULT_EXAMPLES = {
    "default": Example(
        summary="No settings of the portal's own, nor a default relay to be shown",
        value={"port": 25, **_NOTHING_ON, "isDefaultSettings": True},
    ),
}
