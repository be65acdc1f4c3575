"""What OAuth2 adds to a portal's settings: how tokens for its relay are come by.

`OAuth2` may be shown; `OAuth2Secrets` may not, and are sealed together with it, so that what is
used at the token's end point is what was sealed and nothing that was changed beside it.
"""

from enum import StrEnum

import msgspec

from smarthost.secret import Secret


class Grant(StrEnum):
    """How a token is asked for (RFC 6749)."""

    CLIENT_CREDENTIALS = "client_credentials"
    """Section 4.4: as the application itself."""
    AUTHORIZATION_CODE = "authorization_code"
    """Section 4.1: somebody consents in a browser, and a refresh token stays."""
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant
    """Section 6: with a refresh token that was come by elsewhere."""
    SERVICE_ACCOUNT = "service_account"
    """RFC 7523, section 2.1: a signed statement of Google's service accounts."""


class OAuth2(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for tokens where, for what."""

    grant: Grant
    client_id: str
    """Of a service account its e-mail address."""
    token_url: str
    """An https URL."""
    scope: str
    authorization_url: str | None = None
    """Where somebody consents; there with AUTHORIZATION_CODE."""
    provider: str | None = None
    """The id in the table of providers that the URLs are from."""
    tenant: str | None = None
    """The directory that the application is registered in, at Microsoft."""
    subject: str | None = None
    """The user that a service account acts as; None: the one that logs in to the relay."""


class OAuth2Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be proved to get a token."""

    client_secret: Secret | None = None
    refresh_token: Secret | None = None
    private_key: Secret | None = None
    """PEM, of a service account."""
