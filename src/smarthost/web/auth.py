"""Who is asking: finds the credentials in a request and the one user whom they prove.

The same token is taken from `Authorization`, `ApiKeyBearer` and the cookie `asc_auth_key`, in
this order. All that are valid must be one user's: a request that speaks for two is refused. A
bearer token of the operator's issuer is taken from `Authorization` alone: it is too long for a
cookie of ours, and no browser adds it by itself.
"""

import base64
import binascii

import msgspec

from smarthost.clock import Clock
from smarthost.identity.bearer import BearerTokens
from smarthost.identity.model import TokenRefusedError
from smarthost.network import rate_key
from smarthost.portals.keys.last_use import LastUse
from smarthost.portals.keys.store import KeyStore
from smarthost.portals.model import Caller, CredentialKind, Permission, Portal
from smarthost.portals.sign_in.sign_in import SignIn
from smarthost.portals.sign_in.store import SignInStore
from smarthost.portals.tokens import LONGEST_TOKEN, Token, TokenKind, parse_token
from smarthost.secret import Secret
from smarthost.web.errors import UnauthorizedError
from smarthost.web.proxies import Client

COOKIE = "asc_auth_key"
_LONGEST_BASIC = 2048

_ALL = frozenset({Permission.ALL})

_NONE_SHOWN = (
    "Say who you are: send an API key or a session token in the cookie asc_auth_key or in the "
    "header Authorization, or sign in with POST /api/2.0/authentication."
)
_NONE_VALID = (
    "This API key, session or password is not valid: it is wrong, has expired, was revoked or "
    "belongs to another portal."
)
_TWO_USERS = "This request carries the credentials of two different users. Send those of one."
_TWO_COOKIES = "This request carries the cookie asc_auth_key twice. Send it once."


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials in a request, not yet looked at."""

    authorization: str | None
    api_key_bearer: str | None
    cookie: str | None

    @property
    def nothing(self) -> bool:
        """Whether the request has none at all."""
        return not (self.authorization or self.api_key_bearer or self.cookie)

    @property
    def token_in_a_header(self) -> bool:
        """Whether a header holds a token of ours.

        Where it is not valid, the cookie that a browser adds by itself does not stand in for it:
        the request was meant for another portal or another user. A proxy's own `Authorization`
        is none of ours and changes nothing.
        """
        _, _, rest = (self.authorization or "").rpartition(" ")
        return any(map(parse_token, (rest, self.api_key_bearer or "")))


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """A caller, and whether the cookie alone says so."""

    caller: Caller
    by_cookie_alone: bool


class Authenticator:
    """Proves callers."""

    def __init__(
        self,
        keys: KeyStore,
        last_use: LastUse,
        sign_ins: SignInStore,
        sign_in: SignIn,
        clock: Clock,
        bearer_tokens: BearerTokens | None = None,
    ) -> None:
        """`bearer_tokens` is there where the operator has an OpenID Connect issuer."""
        self._keys = keys
        self._last_use = last_use
        self._sign_ins = sign_ins
        self._sign_in = sign_in
        self._clock = clock
        self._bearer_tokens = bearer_tokens

    async def identify(self, shown: Shown, portal: Portal, client: Client) -> Identity:
        """Return who makes a request.

        Raises `RequestError` (401), `TooManyFailuresError` for a password, and
        `IssuerUnavailableError` for a bearer token.
        """
        if shown.nothing:
            raise UnauthorizedError(_NONE_SHOWN, nothing_shown=True)
        refused: TokenRefusedError | None = None
        authorized: Caller | None = None
        try:
            authorized = await self._authorization(shown.authorization, portal, client)
        except TokenRefusedError as error:
            refused = error
        in_headers = [authorized, await self._token(shown.api_key_bearer, portal)]
        by_header = [caller for caller in in_headers if caller is not None]
        by_cookie = await self._token(shown.cookie, portal)
        valid = by_header if by_cookie is None else [*by_header, by_cookie]
        if not valid or (not by_header and (refused or shown.token_in_a_header)):
            raise UnauthorizedError(_NONE_VALID if refused is None else str(refused))
        if len({caller.user.id for caller in valid}) > 1:
            raise UnauthorizedError(_TWO_USERS)
        return Identity(caller=valid[0], by_cookie_alone=not by_header)

    async def _authorization(
        self, value: str | None, portal: Portal, client: Client
    ) -> Caller | None:
        if not value:
            return None
        scheme, _, rest = value.partition(" ")
        match scheme.lower():
            case "basic":
                return await self._basic(rest.strip(), portal, client)
            case "bearer":
                return await self._bearer(rest.strip(), portal)
            case _:
                return await self._token(value, portal)

    async def _basic(self, encoded: str, portal: Portal, client: Client) -> Caller | None:
        """Check an e-mail address and password in base64 (RFC 7617)."""
        if len(encoded) > _LONGEST_BASIC:
            return None
        try:
            pair = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None
        email, _, password = pair.partition(":")
        address = rate_key(client.address)
        user = await self._sign_in.check(portal, email, Secret(password), address)
        if user is None:
            return None
        return Caller(
            user=user, kind=CredentialKind.PASSWORD, credential_id=None, permissions=_ALL
        )

    async def _bearer(self, text: str, portal: Portal) -> Caller | None:
        """Take a token of ours, or a JWT, which has dots in it (RFC 7515, section 7.1)."""
        if self._bearer_tokens is None or "." not in text:
            return await self._token(text, portal)
        user = await self._bearer_tokens.user(portal, text)
        return Caller(user=user, kind=CredentialKind.TOKEN, credential_id=None, permissions=_ALL)

    async def _token(self, text: str | None, portal: Portal) -> Caller | None:
        if not text or len(text) > LONGEST_TOKEN:
            return None
        token = parse_token(text)
        if token is None:
            return None
        match token.kind:
            case TokenKind.API_KEY:
                return await self._key(token, portal)
            case TokenKind.SESSION:
                return await self._session(token, portal)
            case TokenKind.SIGN_IN_LINK:
                return None  # it is no credential: its page makes a session of it, once

    async def _key(self, token: Token, portal: Portal) -> Caller | None:
        key = await self._keys.find(portal.id, token)
        if key is None:
            return None
        self._last_use.note(key, self._clock.now())
        return Caller(
            user=key.user,
            kind=CredentialKind.KEY,
            credential_id=key.id,
            permissions=key.permissions,
        )

    async def _session(self, token: Token, portal: Portal) -> Caller | None:
        session = await self._sign_ins.find_session(portal.id, token)
        if session is None:
            return None
        return Caller(
            user=session.user,
            kind=CredentialKind.SESSION,
            credential_id=session.id,
            permissions=_ALL,
        )


def cookie_of(header: str) -> str | None:
    """Return the value of our cookie in a `Cookie` header (RFC 6265 section 5.4), maybe empty.

    Raises `RequestError` (401) when it is there twice: a second one can be set for the whole
    base domain by somebody else.
    """
    if COOKIE not in header:
        return None
    pairs = (pair.partition("=") for pair in header.split(";"))
    values = [value.strip() for name, _, value in pairs if name.strip() == COOKIE]
    if len(values) > 1:
        raise UnauthorizedError(_TWO_COOKIES)
    return values[0] if values else None
