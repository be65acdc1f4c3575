"""How a portal's login by OAuth2 is doing: whether there are tokens, and if not, why.

What a request for a token came to is kept as facts; it is worded when somebody asks.
"""

from enum import StrEnum

import msgspec

from smarthost.delivery.outcome import Code, Step
from smarthost.explanations.explain import explain
from smarthost.explanations.failure import Facts, Failure
from smarthost.explanations.relay_shown import shown
from smarthost.smtp_settings.binding.model import BindingStatus
from smarthost.smtp_settings.model import SmtpSettings
from smarthost.smtp_settings.oauth2 import Grant, OAuth2

_CODES = {
    "refused": Code.OAUTH2_REFUSED,
    "consent_needed": Code.OAUTH2_CONSENT_NEEDED,
    "unavailable": Code.OAUTH2_UNAVAILABLE,
}


class OAuth2State(StrEnum):
    """Where a portal's OAuth2 is."""

    NONE = "none"
    """There never was one."""
    CONSENT_NEEDED = "consent needed"
    """Nobody has consented yet, or the consent is over."""
    READY = "ready"
    """Nothing speaks against the next token."""
    FAILED = "failed"
    """The last request for a token has failed."""
    ENDED = "ended"
    """Something else took its place, or nothing did."""


class OAuth2Health(msgspec.Struct, frozen=True, kw_only=True):
    """How it is doing; times are microseconds since 1970, UTC."""

    state: OAuth2State
    fetched_at: int | None = None
    """When a token was last asked for."""
    expires_at: int | None = None
    """When the token ends that was got then; None: there is none."""
    failure: Failure | None = None
    """There with CONSENT_NEEDED and FAILED."""


def oauth2_health(status: BindingStatus) -> OAuth2Health:
    """Return how the login by OAuth2 is doing that has this status."""
    settings, tokens = status.in_force.settings, status.tokens
    if settings is None or settings.oauth2 is None:
        ended = status.ended is not None
        return OAuth2Health(state=OAuth2State.ENDED if ended else OAuth2State.NONE)
    code = _code(status, settings.oauth2)
    return OAuth2Health(
        state=_state(code),
        fetched_at=None if tokens is None else tokens.fetched_at,
        expires_at=None if tokens is None else tokens.expires_at,
        failure=None if code is None else _failure(code, status, settings),
    )


def _code(status: BindingStatus, oauth2: OAuth2) -> Code | None:
    tokens = status.tokens
    if tokens is not None and tokens.error is not None:
        return _CODES[tokens.error]
    consented = tokens is not None and tokens.has_refresh_token
    if oauth2.grant is Grant.AUTHORIZATION_CODE and not consented:
        return Code.OAUTH2_CONSENT_NEEDED
    return None


def _state(code: Code | None) -> OAuth2State:
    if code is None:
        return OAuth2State.READY
    if code is Code.OAUTH2_CONSENT_NEEDED:
        return OAuth2State.CONSENT_NEEDED
    return OAuth2State.FAILED


def _failure(code: Code, status: BindingStatus, settings: SmtpSettings) -> Failure:
    return explain(
        Facts(
            step=Step.AUTHENTICATE,
            code=code,
            permanent=code is not Code.OAUTH2_UNAVAILABLE,
            reply=None if status.tokens is None else status.tokens.said,
            relay=shown(settings),
        )
    )
