"""Which stored secrets go on with a binding that is typed anew.

A secret that was typed for one place is never shown at another, so it stays only where token URL,
application and login are the same. A refresh token that came later stays only with the one that
it came from.
"""

from typing import NamedTuple

from smarthost.smtp_settings.binding.model import Binding
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.oauth2 import Grant, OAuth2, OAuth2Secrets

_CONSENTED = frozenset({Grant.AUTHORIZATION_CODE, Grant.REFRESH_TOKEN})


class Stored(NamedTuple):
    """What is in force."""

    settings: SmtpSettings
    binding: Binding | None
    """With its secrets opened; None: there is none, or it does not open."""


def kept_secrets(stored: Stored, oauth2: OAuth2, user_name: str) -> OAuth2Secrets:
    """Return the secrets that may stay with this sign-in; none at all where it is another."""
    if stored.binding is not None and _goes_to_the_same(stored, oauth2, user_name):
        return stored.binding.secrets
    return OAuth2Secrets()


def keeps_tokens(stored: Stored, binding: Binding, user_name: str) -> bool:
    """Tell whether a refresh token that came later than what is sealed goes with this one too."""
    before = stored.binding
    return (
        before is not None
        and binding.oauth2.grant in _CONSENTED
        and before.oauth2.grant is binding.oauth2.grant
        and before.secrets.refresh_token == binding.secrets.refresh_token
        and _goes_to_the_same(stored, binding.oauth2, user_name)
    )


def _goes_to_the_same(stored: Stored, oauth2: OAuth2, user_name: str) -> bool:
    before = stored.settings
    return (
        before.oauth2 is not None
        and before.user_name == user_name
        and before.oauth2.token_url == oauth2.token_url
        and before.oauth2.client_id == oauth2.client_id
    )
