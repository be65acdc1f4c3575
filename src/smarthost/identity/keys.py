"""What an issuer publishes: where its keys are, and the keys (RFC 7517); both pure.

Only what can check a signature by one of a few asymmetric algorithms becomes a key, each for the
algorithms of its own kind: no token can have a key used in another way than its issuer meant.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

import msgspec

from smarthost.http_client.model import Answer

if TYPE_CHECKING:
    from jwt.algorithms import AllowedPublicKeys

T = TypeVar("T")

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_BY_KIND: Mapping[tuple[str, str | None], Sequence[str]] = {
    ("RSA", None): _RSA,
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("OKP", "Ed25519"): ("EdDSA",),
}
ALGORITHMS = frozenset(name for names in _BY_KIND.values() for name in names)
"""Names of RFC 7518, section 3.1, and RFC 8037, section 3.1."""

MOST_KEYS = 100
# RFC 7518, section 3.3, for the least. Checking with a longer one takes more and more time.
_RSA_BITS = range(2048, 8193)


class BadIssuerError(Exception):
    """The issuer cannot be reached, or what it publishes is of no use; says why in one line."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A public key of the issuer."""

    id: str | None
    algorithms: frozenset[str]
    public: "AllowedPublicKeys"


class _Discovered(msgspec.Struct):
    issuer: str
    jwks_uri: str


class _KeySet(msgspec.Struct):
    keys: list[msgspec.Raw]


class _Jwk(msgspec.Struct, omit_defaults=True):
    # What is private in a key, by mistake, has no name here and is left out.
    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    key_ops: list[str] | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None


def discovery_url(issuer: str) -> str:
    """Return where an issuer describes itself (OpenID Connect Discovery 1.0, section 4.1)."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


def read_discovery(answer: Answer, issuer: str) -> str:
    """Return where the keys are. Raises `BadIssuerError`."""
    found = _decoded(answer, _Discovered, "description")
    # Discovery, section 4.3: one who answers for another issuer is not to be believed.
    if found.issuer != issuer:
        raise BadIssuerError("Its description is that of another issuer.")
    if not found.jwks_uri.lower().startswith("https://"):
        raise BadIssuerError("Its keys are not to be had over https.")
    return found.jwks_uri


def read_keys(answer: Answer) -> tuple[Key, ...]:
    """Return the keys that signatures can be checked with. Raises `BadIssuerError`.

    Others are passed over: they are for encryption, or of a kind that is not taken.
    """
    found = _decoded(answer, _KeySet, "set of keys")
    keys = tuple(key for key in map(_key, found.keys[:MOST_KEYS]) if key is not None)
    if not keys:
        raise BadIssuerError("It has no key that could be used here.")
    return keys


def the_one(keys: Sequence[Key], algorithm: str, key_id: str | None) -> Key | None:
    """Return the key that a token is signed with, if exactly one can be meant.

    OpenID Connect Core 1.0, section 10.1: a token may leave `kid` away if there is one key alone.
    """
    fitting = [
        key for key in keys if algorithm in key.algorithms and (key_id is None or key.id == key_id)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _decoded(answer: Answer, kind: type[T], what: str) -> T:
    if answer.status != HTTPStatus.OK:
        raise BadIssuerError(f"Asked for its {what}, it answers with the status {answer.status}.")
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadIssuerError(f"Asked for its {what}, it answers something else.") from None


def _key(raw: msgspec.Raw) -> Key | None:
    import jwt  # noqa: PLC0415 - takes time and memory, and few installations have an issuer

    try:
        jwk = msgspec.json.decode(raw, type=_Jwk)
        algorithms = frozenset(_BY_KIND[jwk.kty, jwk.crv])
        if jwk.alg is not None:
            algorithms &= {jwk.alg}
        if not algorithms or not _is_for_signatures(jwk):
            return None
        public = jwt.PyJWK(msgspec.to_builtins(jwk), algorithm=min(algorithms)).key
    except (msgspec.DecodeError, jwt.PyJWTError, KeyError, ValueError, RecursionError):
        return None
    if jwk.kty == "RSA" and public.key_size not in _RSA_BITS:
        return None
    return Key(id=jwk.kid, algorithms=algorithms, public=public)


def _is_for_signatures(jwk: _Jwk) -> bool:
    return jwk.use in (None, "sig") and (jwk.key_ops is None or "verify" in jwk.key_ops)
