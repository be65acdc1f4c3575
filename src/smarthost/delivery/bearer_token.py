"""One token from its end point (RFC 6749): what is asked, and what an answer means.

Pure but for the clock's time in a signed statement; the request itself is made by `tokens.py`.
What an end point says is hostile until it is read: one JSON object, and of it only what is
understood.
"""

import re
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import quote_plus, urlencode

import msgspec

from smarthost.clock import MICROSECONDS
from smarthost.http_client.model import Answer
from smarthost.secret import Secret
from smarthost.smtp_settings.oauth2 import Grant, OAuth2, OAuth2Secrets

DEFAULT_SECONDS = 300.0
"""How long a token is good for whose answer does not say."""
LONGEST_SECONDS = 86_400.0

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_STATEMENT_SECONDS = 3600  # the most that Google takes
# The clocks of two machines differ: a statement from the future is refused.
_SKEW_SECONDS = 60
_LONGEST = 16 * 1024  # characters of a token
_SHOWN_LIMIT = 160
_READ_LIMIT = 1000
_HIDDEN = "[hidden]"
_LIKE_A_TOKEN = re.compile(r"[A-Za-z0-9._~+=%-]{40,}")


class OAuth2Login(msgspec.Struct, frozen=True, kw_only=True):
    """How a relay's token is come by, with the secrets opened."""

    oauth2: OAuth2
    secrets: OAuth2Secrets


class NoToken(StrEnum):
    """Why there is no token."""

    REFUSED = "refused"
    """The end point says no: somebody has to change something."""
    CONSENT_NEEDED = "consent_needed"
    """Nobody has consented yet, or the consent is over."""
    UNAVAILABLE = "unavailable"
    """The end point cannot be reached, or does not answer as one; it may pass."""


class NoTokenError(Exception):
    """There is no token; `said` is what the end point said, cleaned, or why there is no answer."""

    def __init__(self, why: NoToken, said: str) -> None:
        super().__init__(said)
        self.why = why
        self.said = said


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What an end point gave out."""

    access: Secret
    seconds: float
    """How long it is good for, from its request on."""
    refresh: Secret | None = None
    """To be used from now on in place of the one that was shown."""


# RFC 6749, section 5.2, and what Microsoft and Google add to it.
_CONSENT_IS_OVER = frozenset({"invalid_grant", "interaction_required", "consent_required"})
_CONSENTED = frozenset({Grant.AUTHORIZATION_CODE, Grant.REFRESH_TOKEN})
_PASSES = frozenset({"temporarily_unavailable", "server_error", "slow_down"})


def asked(login: OAuth2Login, user_name: str, now: int) -> bytes:
    """Return the form to POST to the end point; `now` is microseconds since 1970, UTC.

    Raises `NoTokenError` where consent is needed first, or the private key cannot sign.
    """
    oauth2, secrets = login.oauth2, login.secrets
    if oauth2.grant is Grant.SERVICE_ACCOUNT:
        statement = _statement(login, user_name, now)
        return _form({"grant_type": _JWT_BEARER, "assertion": statement})
    fields = {"client_id": oauth2.client_id, "scope": oauth2.scope}
    if secrets.client_secret:
        fields["client_secret"] = secrets.client_secret.reveal()
    if oauth2.grant is Grant.CLIENT_CREDENTIALS:
        return _form({"grant_type": "client_credentials", **fields})
    if not secrets.refresh_token:
        raise NoTokenError(NoToken.CONSENT_NEEDED, "Nobody has signed in yet.")
    shown = secrets.refresh_token.reveal()
    return _form({"grant_type": "refresh_token", "refresh_token": shown, **fields})


def _form(fields: dict[str, str]) -> bytes:
    return urlencode(fields).encode("ascii")


def _statement(login: OAuth2Login, user_name: str, now: int) -> str:
    """Sign who asks for what (RFC 7523, section 3)."""
    import jwt  # noqa: PLC0415 - few installations ever need it

    seconds = now // MICROSECONDS - _SKEW_SECONDS
    oauth2, key = login.oauth2, login.secrets.private_key
    claims = {
        "iss": oauth2.client_id,
        "sub": oauth2.subject or user_name,
        "scope": oauth2.scope,
        "aud": oauth2.token_url,
        "iat": seconds,
        "exp": seconds + _STATEMENT_SECONDS,
    }
    try:
        return jwt.encode(claims, key.reveal() if key else "", algorithm="RS256")
    except (jwt.PyJWTError, TypeError, ValueError):
        # Nothing of the library's words: they may hold the key.
        raise NoTokenError(NoToken.REFUSED, "The private key cannot be used.") from None


class _Granted(msgspec.Struct):
    access_token: str
    token_type: str = ""
    expires_in: float | str | None = None
    refresh_token: str | None = None


class _Refused(msgspec.Struct):
    error: str
    error_description: str | None = None


def read(answer: Answer, login: OAuth2Login) -> Token:
    """Return the token of an answer. Raises `NoTokenError`."""
    if answer.status == HTTPStatus.OK:
        return _token(answer.body)
    raise _refusal(answer, login)


def _token(body: bytes) -> Token:
    try:
        granted = msgspec.json.decode(body, type=_Granted)
        seconds = float(DEFAULT_SECONDS if granted.expires_in is None else granted.expires_in)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        raise _odd("an answer that is no token") from None
    access = granted.access_token
    if granted.token_type.lower() != "bearer" or not _is_token(access):
        raise _odd("a token that is no bearer token")
    if not seconds > 0:  # also no number at all
        raise _odd("a token that is over")
    refresh = granted.refresh_token
    return Token(
        access=Secret(access),
        seconds=min(seconds, LONGEST_SECONDS),
        refresh=Secret(refresh) if refresh and _is_token(refresh) else None,
    )


def _is_token(text: str) -> bool:
    """Whether it may be shown as one: visible characters of ASCII (RFC 6750, section 2.1)."""
    return text.isascii() and text.isprintable() and " " not in text and 0 < len(text) <= _LONGEST


def _refusal(answer: Answer, login: OAuth2Login) -> NoTokenError:
    try:
        said = msgspec.json.decode(answer.body, type=_Refused)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _odd(f"status {answer.status}")
    return NoTokenError(_why(answer.status, said.error, login.oauth2.grant), _words(said, login))


def _why(status: int, error: str, grant: Grant) -> NoToken:
    passes = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    if passes or error in _PASSES:
        return NoToken.UNAVAILABLE
    if grant in _CONSENTED and error in _CONSENT_IS_OVER:
        return NoToken.CONSENT_NEEDED
    return NoToken.REFUSED


def _words(said: _Refused, login: OAuth2Login) -> str:
    """Return what was said, without a secret that it repeats."""
    text = f"{said.error}: {said.error_description}" if said.error_description else said.error
    secrets = login.secrets
    for secret in (secrets.client_secret, secrets.refresh_token):
        if secret:
            for spelled in (secret.reveal(), quote_plus(secret.reveal())):  # as in the form
                text = text.replace(spelled, _HIDDEN)
    return shown_words(text)


def _odd(what: str) -> NoTokenError:
    return NoTokenError(NoToken.UNAVAILABLE, f"It answered with {what}.")


def shown_words(text: str) -> str:
    """Return remote words as one line of printable characters, of a bounded length.

    What is as long as a token, a code or a signed statement is hidden, whatever it is.
    """
    text = _LIKE_A_TOKEN.sub(_HIDDEN, text[:_READ_LIMIT])
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= _SHOWN_LIMIT else line[: _SHOWN_LIMIT - 1] + "…"
