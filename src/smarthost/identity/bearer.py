"""Which user a bearer token of the issuer proves.

The token is read once, and nothing of it is believed before its signature is checked but which
issuer and key it names: a token of somebody else never makes us ask the issuer for keys. A key, or
where to get one, is never taken from the token itself (`jwk`, `jku`, `x5c`, `x5u`).
"""

from typing import Any

import msgspec
import structlog

from smarthost.clock import MICROSECONDS, Clock
from smarthost.identity.claims import Said, check_issuer, read_claims
from smarthost.identity.key_cache import KeyCache
from smarthost.identity.keys import ALGORITHMS, Key
from smarthost.identity.model import LONGEST_TOKEN, Fault, Issuer, TokenRefusedError
from smarthost.portals.model import Portal, Role, User
from smarthost.portals.store import PortalStore

log = structlog.get_logger("smarthost.identity")

_ID_TOKENS = frozenset({"jwt", "application/jwt"})
_ACCESS_TOKENS = frozenset({"at+jwt", "application/at+jwt"})


class _Header(msgspec.Struct, kw_only=True):
    alg: str
    kid: str | None = None
    typ: str = "JWT"
    crit: Any = None


class BearerTokens:
    """Finds users by tokens."""

    def __init__(self, issuer: Issuer, keys: KeyCache, users: PortalStore, clock: Clock) -> None:
        self._issuer = issuer
        self._keys = keys
        self._users = users
        self._clock = clock

    async def user(self, portal: Portal, text: str) -> User:
        """Return the user of `portal` whom a token proves, with the role that it leaves them.

        Raises `TokenRefusedError`, `IssuerUnavailableError`.
        """
        try:
            return await self._user(portal, text)
        except TokenRefusedError as error:
            log.debug("bearer token refused", portal=portal.name, reason=error.fault.value)
            raise

    async def close(self) -> None:
        """End what is being asked of the issuer."""
        await self._keys.close()

    async def _user(self, portal: Portal, text: str) -> User:
        said = await self._said(text)
        if said.portals is not None and portal.name not in said.portals:
            raise TokenRefusedError(Fault.PORTAL)
        user = await self._users.user(portal.id, said.email)
        if user is None:
            raise TokenRefusedError(Fault.UNKNOWN_USER)
        return user if said.administrator else msgspec.structs.replace(user, role=Role.USER)

    async def _said(self, text: str) -> Said:
        if len(text) > LONGEST_TOKEN:
            raise TokenRefusedError(Fault.TOO_LONG)
        header, claims = _unverified(text)
        typ = header.typ.lower()
        if header.alg not in ALGORITHMS:
            raise TokenRefusedError(Fault.ALGORITHM)
        # RFC 7515, section 4.1.11: what is critical and not understood is to be refused.
        if typ not in _ID_TOKENS | _ACCESS_TOKENS or header.crit is not None:
            raise TokenRefusedError(Fault.KIND)
        check_issuer(claims, self._issuer)
        key = await self._keys.find(header.alg, header.kid)
        if key is None:
            raise TokenRefusedError(Fault.UNKNOWN_KEY)
        _check_signature(text, header.alg, key)
        return read_claims(
            claims,
            self._issuer,
            now=self._clock.now() / MICROSECONDS,
            is_access_token=typ in _ACCESS_TOKENS,
        )


def _unverified(text: str) -> tuple[_Header, dict[str, Any]]:
    """Return header and claims of a token, whoever made it. Raises `TokenRefusedError`."""
    import jwt  # noqa: PLC0415 - takes time and memory, and few installations have an issuer

    try:
        parts = jwt.api_jws.decode_complete(text, options={"verify_signature": False})
        header = msgspec.convert(parts["header"], _Header)
        claims = msgspec.json.decode(parts["payload"], type=dict[str, Any])
    except (jwt.PyJWTError, msgspec.DecodeError, ValueError, RecursionError):
        # Nothing of the libraries' words: they may hold a part of the token.
        raise TokenRefusedError(Fault.MALFORMED) from None
    return header, claims


def _check_signature(text: str, algorithm: str, key: Key) -> None:
    """Return if the token is signed with this key. Raises `TokenRefusedError`."""
    import jwt  # noqa: PLC0415

    try:
        jwt.api_jws.decode_complete(text, key.public, algorithms=[algorithm])
    except (jwt.PyJWTError, ValueError):
        raise TokenRefusedError(Fault.SIGNATURE) from None
