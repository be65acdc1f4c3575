"""Settings that pass every rule, to be changed a field at a time."""

from typing import Any

import msgspec

from smarthost.secret import Secret
from smarthost.smtp_settings.model import Draft, SettingsInput, SmtpSettings
from smarthost.smtp_settings.rules import check

CANARY = "c4nary p4ssw0rd ü/+&"
RELAY = SmtpSettings(
    host="mail.example.com",
    port=587,
    sender_address="notify@example.com",
    sender_display_name="Postman",
    user_name="notify",
    enable_ssl=True,
    enable_auth=True,
    use_ntlm=False,
)
OPEN_RELAY = msgspec.structs.replace(RELAY, enable_auth=False, user_name=None)


def relay(**changes: Any) -> SmtpSettings:
    """`RELAY` with other values."""
    return msgspec.structs.replace(RELAY, **changes)


def draft(settings: SmtpSettings = RELAY, password: str | None = CANARY) -> Draft:
    """Settings to be saved, with the password that was typed."""
    return Draft(settings=settings, password=None if password is None else Secret(password))


def typed(settings: SmtpSettings, password: str | None) -> SettingsInput:
    """What somebody types to get `settings`."""
    values = msgspec.structs.asdict(settings)
    del values["oauth2"]  # there are other ways to it
    return SettingsInput(**values, password=None if password is None else Secret(password))


def checked(settings: SmtpSettings, stored: SmtpSettings | None, password: str | None) -> Draft:
    """The draft of what was typed while `stored` was in force."""
    return check(typed(settings, password), stored)
