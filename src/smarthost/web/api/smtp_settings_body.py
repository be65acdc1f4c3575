"""A body of SMTP settings between its decoding and the rules: whoever takes one refuses it so."""

from smarthost.smtp_settings.model import CONTRACT_NAMES, InvalidSettingsError
from smarthost.web.api.smtp_settings_dto import SmtpSettingsRequestDto
from smarthost.web.decoding import Decoded, Faults
from smarthost.web.errors import RequestError

SettingsBody = Decoded[SmtpSettingsRequestDto]


def unread_fields(body: SettingsBody) -> frozenset[str]:
    """Return the fields that were sent and could not be read, by the names of `SettingsInput`."""
    return frozenset(ours for ours, name in CONTRACT_NAMES.items() if body.lacks(name))


def refused_body(
    body: SettingsBody, error: InvalidSettingsError, others: Faults | None = None
) -> RequestError:
    """Return the refusal with all that the rules and the decoding found, and `others`."""
    faults = {CONTRACT_NAMES[name]: told for name, told in error.faults.items()}
    return body.with_faults({**faults, **(others or {})})
