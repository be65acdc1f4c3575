"""The values of this room: whom the operator trusts, and why a token is not taken.

A refusal is told to whoever showed the token, so that a developer sees what to change. It says
nothing that the token itself does not, and no other value of it than its algorithm.
"""

from enum import StrEnum

import msgspec

LONGEST_TOKEN = 8192
"""Characters of a token; the largest in use, with a list of groups, have about half of it."""


class Issuer(msgspec.Struct, frozen=True, kw_only=True):
    """Whose tokens are taken, and which of their claims say what.

    A claim's name may lead into another one, with dots between.
    """

    url: str
    """Exactly as tokens name it (OpenID Connect Core 1.0, section 2); https."""
    audience: str
    email_claim: str
    portal_claim: str | None
    """None: there is one portal, which need not be named."""
    administrators: tuple[str, str] | None
    """A claim and one of its values; None: the users' roles alone count."""


class Fault(StrEnum):
    """Why a token is not taken; the values are for the log."""

    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    KIND = "kind"
    ISSUER = "issuer"
    UNKNOWN_KEY = "unknown_key"
    SIGNATURE = "signature"
    AUDIENCE = "audience"
    AUTHORIZED_PARTY = "authorized_party"
    EXPIRED = "expired"
    NOT_YET = "not_yet"
    BOUND = "bound"
    NO_EMAIL = "no_email"
    EMAIL_UNVERIFIED = "email_unverified"
    PORTAL = "portal"
    UNKNOWN_USER = "unknown_user"


class IdentityError(Exception):
    """Base of what this room refuses; the message is plain words for whoever asked."""


class TokenRefusedError(IdentityError):
    """The token proves nobody."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"This bearer token is not valid: {_WORDS[fault]}")
        self.fault = fault


class IssuerUnavailableError(IdentityError):
    """Whether the token is valid cannot be said now: the issuer's keys are not to be had."""

    def __init__(self) -> None:
        super().__init__(
            "The identity provider that this bearer token is said to be of cannot be reached just "
            "now, so that it cannot be checked. Try again soon."
        )


_WORDS = {
    Fault.TOO_LONG: f"it has more than {LONGEST_TOKEN} characters.",
    Fault.MALFORMED: "it is no signed JWT (RFC 7515), or lacks a claim that it needs (iss, aud, "
    "exp), or has one of the wrong type.",
    Fault.ALGORITHM: "it has to be signed with RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
    "ES384 or EdDSA (Ed25519).",
    Fault.KIND: "it is neither an ID token nor an access token: its header has another typ than "
    "JWT or at+jwt, or a crit, or it tells of an event.",
    Fault.ISSUER: "it is of another issuer than this service trusts (iss).",
    Fault.UNKNOWN_KEY: "its issuer has no such key (kid), or several where it names none.",
    Fault.SIGNATURE: "its signature is wrong.",
    Fault.AUDIENCE: "it was issued for another application (aud).",
    Fault.AUTHORIZED_PARTY: "it was issued for several applications, and not to this one (azp). "
    "Ask for one with a single audience, or for an access token of the type at+jwt.",
    Fault.EXPIRED: "it has expired (exp). Get a new one.",
    Fault.NOT_YET: "it is not valid yet (nbf, iat). A clock may be wrong.",
    Fault.BOUND: "it is bound to a key of its holder (cnf), which a bearer token is not.",
    Fault.NO_EMAIL: "it has no claim with an e-mail address that could be read.",
    Fault.EMAIL_UNVERIFIED: "its issuer has not verified the e-mail address (email_verified).",
    Fault.PORTAL: "it is not for this portal.",
    Fault.UNKNOWN_USER: "this portal has no user with the e-mail address in it. The operator "
    "makes users.",
}
