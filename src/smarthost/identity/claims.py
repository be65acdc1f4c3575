"""What a token says, and whether that is for us: pure.

Read as OpenID Connect Core 1.0, section 3.1.3.7, has ID tokens read, and RFC 9068, section 4,
access tokens. The signature is checked elsewhere.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from smarthost.identity.model import Fault, Issuer, TokenRefusedError
from smarthost.mail.address import AddressError, parse_address

LEEWAY_SECONDS = 60
"""How far two clocks may be apart."""

_LONGEST_EMAIL = 254

Claims = Mapping[str, Any]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a token that is for us says of who shows it."""

    email: str
    """In the canonical form of `mail.address`."""
    portals: tuple[str, ...] | None
    """The names of those that it is for; None: there is one portal."""
    administrator: bool
    """Whether its owner may act as one, if they are."""


class _Registered(msgspec.Struct, kw_only=True):
    # RFC 7519, section 4.1; `azp` is OpenID Connect's.
    iss: str
    aud: str | list[str]
    exp: float
    nbf: float | None = None
    iat: float | None = None
    azp: str | None = None


def check_issuer(claims: Claims, issuer: Issuer) -> None:
    """Return if the token says that it is of this issuer. Raises `TokenRefusedError`."""
    if claims.get("iss") != issuer.url:
        raise TokenRefusedError(Fault.ISSUER)


def read_claims(claims: Claims, issuer: Issuer, *, now: float, is_access_token: bool) -> Said:
    """Return what a token says that is for us at `now`, seconds since 1970, UTC.

    `is_access_token`: its header says so (RFC 9068, section 2.1). Raises `TokenRefusedError`.
    """
    check_issuer(claims, issuer)
    try:
        registered = msgspec.convert(claims, _Registered)
    except msgspec.ValidationError:
        raise TokenRefusedError(Fault.MALFORMED) from None
    _check_audience(registered, issuer, is_access_token=is_access_token)
    _check_time(registered, now)
    if "events" in claims:  # a logout token, or another security event (RFC 8417, section 2.2)
        raise TokenRefusedError(Fault.KIND)
    if "cnf" in claims:  # RFC 9449, section 7.1; RFC 8705, section 3
        raise TokenRefusedError(Fault.BOUND)
    return Said(
        email=_email(claims, issuer),
        portals=None if issuer.portal_claim is None else _values(claims, issuer.portal_claim),
        administrator=issuer.administrators is None
        or issuer.administrators[1] in _values(claims, issuer.administrators[0]),
    )


def _check_audience(registered: _Registered, issuer: Issuer, *, is_access_token: bool) -> None:
    named = registered.aud
    audiences = [named] if isinstance(named, str) else named
    if issuer.audience not in audiences:
        raise TokenRefusedError(Fault.AUDIENCE)
    # An ID token is somebody's proof to the application that it was issued to; any other audience
    # could show it here. Access tokens are made to be shown.
    if len(audiences) > 1 and not is_access_token and registered.azp != issuer.audience:
        raise TokenRefusedError(Fault.AUTHORIZED_PARTY)


def _check_time(registered: _Registered, now: float) -> None:
    if now >= registered.exp + LEEWAY_SECONDS:
        raise TokenRefusedError(Fault.EXPIRED)
    begins = [at for at in (registered.nbf, registered.iat) if at is not None]
    if any(at > now + LEEWAY_SECONDS for at in begins):
        raise TokenRefusedError(Fault.NOT_YET)


def _email(claims: Claims, issuer: Issuer) -> str:
    text = _claim(claims, issuer.email_claim)
    if not isinstance(text, str) or len(text) > _LONGEST_EMAIL:
        raise TokenRefusedError(Fault.NO_EMAIL)
    # Some say it in text. It is about the claim `email` (OpenID Connect Core 1.0, section 5.1).
    if issuer.email_claim == "email" and claims.get("email_verified", True) not in (True, "true"):
        raise TokenRefusedError(Fault.EMAIL_UNVERIFIED)
    try:
        return str(parse_address(text))
    except AddressError:
        raise TokenRefusedError(Fault.NO_EMAIL) from None


def _values(claims: Claims, name: str) -> tuple[str, ...]:
    """Return the texts of a claim that is one or a list of them; none of any other."""
    found = _claim(claims, name)
    listed = found if isinstance(found, list) else [found]
    return tuple(one for one in listed if isinstance(one, str))


def _claim(claims: Claims, name: str) -> Any:  # noqa: ANN401 - JSON
    """Return a claim; dots lead into others, unless there is one of the very name."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found
