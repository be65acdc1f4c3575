"""A binding: OAuth2 in place of a password, with what has to be proved to get a token.

What is typed for one, what is known about providers' end points, and why there cannot be one.
"""

from typing import Protocol

import msgspec

from smarthost.secret import Secret
from smarthost.smtp_settings.model import Revision, SmtpSettingsError
from smarthost.smtp_settings.oauth2 import Grant, OAuth2, OAuth2Secrets


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed as one: so nothing that was changed beside it is used with its secrets."""

    oauth2: OAuth2
    secrets: OAuth2Secrets


class BindingInput(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody typed, not yet looked at."""

    grant: Grant | None = None
    provider: str | None = None
    tenant: str | None = None
    client_id: str | None = None
    authorization_url: str | None = None
    token_url: str | None = None
    scope: str | None = None
    user_name: str | None = None
    subject: str | None = None
    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    service_account: Secret | None = None
    """Google's file, JSON, or a private key in PEM."""


BINDING_NAMES = {
    "grant": "grant",
    "provider": "provider",
    "tenant": "tenant",
    "client_id": "clientId",
    "authorization_url": "authorizationUrl",
    "token_url": "tokenUrl",
    "scope": "scope",
    "user_name": "userName",
    "subject": "subject",
    "client_secret": "clientSecret",
    "refresh_token": "refreshToken",
    "service_account": "serviceAccount",
}
"""The fields of `BindingInput` by the names of the API, in which people are told of them."""


class EndPoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where a known provider gives out tokens; `<tenant>` in a URL is filled in."""

    provider: str
    authorization_url: str
    token_url: str
    scope: str
    """For somebody who consents."""
    client_credentials_scope: str | None
    """For an application on its own; None: not offered."""


class KnownEndPoints(Protocol):
    """The providers that are known."""

    def of_provider(self, provider_id: str) -> EndPoints | None:
        """Find a provider by its id; None: it is unknown, or has no OAuth2."""
        ...

    def of_host(self, host: str) -> EndPoints | None:
        """Find the provider whose relay has this name."""
        ...


class TokenState(msgspec.Struct, frozen=True, kw_only=True):
    """What the last request for a token came to; times are microseconds since 1970, UTC."""

    fetched_at: int
    expires_at: int | None = None
    """When the access token ends; None: there is none."""
    error: str | None = None
    """`refused`, `consent_needed` or `unavailable`; None: it was given."""
    said: str | None = None
    """What the end point said then, cleaned, or why there is no answer."""
    has_refresh_token: bool = False
    """One is kept here, that is used in place of one that was typed."""


class BindingStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A portal's OAuth2 as it stands."""

    in_force: Revision
    tokens: TokenState | None = None
    """None: no token was asked for yet, or there is no OAuth2."""
    ended: Revision | None = None
    """The revision that ended what was the last one; None: it is in force, or never was."""


class NoOwnSettingsError(SmtpSettingsError):
    """The portal has no settings that OAuth2 could be added to."""

    def __init__(self) -> None:
        super().__init__(
            "The portal has no settings of its own. Save its mail server first, with TLS."
        )
