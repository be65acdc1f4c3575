"""An OpenID Connect provider as a real HTTPS server: it describes itself, publishes keys, signs.

It can be told to misbehave in each way of its own. Keys are made once a process, since an RSA key
takes a while.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from smarthost.clock import MICROSECONDS, Clock, SystemClock
from tests.http_servers import Received
from tests.oauth2_provider import answer

AUDIENCE = "smarthost-4711"
DISCOVERY = "/realms/main/.well-known/openid-configuration"
KEYS = "/realms/main/keys"

Key = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
)
Misbehaving = bytes | Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@cache
def rsa_key(number: int = 1, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the same key for the same number."""
    del number
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def curve_key(curve: type[ec.EllipticCurve]) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve())


@cache
def edwards_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def jwk(key: Key, kid: str | None, **more: object) -> dict[str, Any]:
    """The public half of a key as a provider publishes it."""
    of_kind = (
        jwt.algorithms.RSAAlgorithm
        if isinstance(key, rsa.RSAPrivateKey)
        else jwt.algorithms.ECAlgorithm
        if isinstance(key, ec.EllipticCurvePrivateKey)
        else jwt.algorithms.OKPAlgorithm
    )
    public: dict[str, Any] = json.loads(of_kind.to_jwk(key.public_key()))  # type: ignore[arg-type]
    public.pop("key_ops", None)
    return public | ({} if kid is None else {"kid": kid}) | more


@dataclass
class OpenIdProvider:
    """`issuer` is its URL, once it is known."""

    clock: Clock = field(default_factory=SystemClock)
    issuer: str = ""
    keys: dict[str, Key] = field(default_factory=lambda: {"first": rsa_key()})
    """Those that are published, by their `kid`."""
    published: object = None
    """What is published in place of `keys`."""
    described: dict[str, object] = field(default_factory=dict)
    """What its description has in place of the truth."""
    instead: dict[str, Misbehaving] = field(default_factory=dict)
    """By path: what is answered in place of all that."""
    asked: list[str] = field(default_factory=list)

    async def __call__(self, request: Received, writer: asyncio.StreamWriter) -> None:
        path = request.line.split(" ")[1]
        self.asked.append(path)
        instead = self.instead.get(path)
        if callable(instead):
            await instead(request, writer)
        else:
            writer.write(instead or self._answer(path))
            await writer.drain()

    def _answer(self, path: str) -> bytes:
        if path == DISCOVERY:
            origin = self.issuer.removesuffix("/realms/main")
            return answer(
                200, {"issuer": self.issuer, "jwks_uri": f"{origin}{KEYS}"} | self.described
            )
        if path == KEYS:
            keys = [jwk(key, kid, use="sig") for kid, key in self.keys.items()]
            return answer(200, {"keys": keys} if self.published is None else self.published)
        return answer(404, {})

    def claims(self, email: str = "admin@example.com", **changes: object) -> dict[str, object]:
        """What an ID token says; what is changed to None is left away."""
        now = self.clock.now() // MICROSECONDS
        said: dict[str, object] = {
            "iss": self.issuer,
            "sub": "248289761001",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "email": email,
            "email_verified": True,
        }
        return {name: value for name, value in (said | changes).items() if value is not None}

    def token(
        self,
        email: str = "admin@example.com",
        *,
        kid: str | None = "first",
        key: Any = None,
        algorithm: str = "RS256",
        headers: dict[str, object] | None = None,
        **changes: object,
    ) -> str:
        """Sign a token, with the key of that `kid` if no other is given."""
        named = {} if kid is None else {"kid": kid}
        signing = key if key is not None else self.keys[kid or "first"]
        said = json.dumps(self.claims(email, **changes)).encode()
        return jwt.api_jws.encode(said, signing, algorithm, headers=named | (headers or {}))
