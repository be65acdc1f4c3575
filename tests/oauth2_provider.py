"""A provider of OAuth2 as a real HTTPS server: it gives out tokens and knows which are good.

It keeps to RFC 6749, 7523 and 7636 as strictly as the big ones do, and can be told to misbehave.
"""

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from smarthost.clock import MICROSECONDS, Clock, SystemClock
from tests.http_servers import Received

CLIENT_ID = "app-4711"
CLIENT_SECRET = "secret of the application"
SCOPE = "https://mail.example.com/smtp"
ACCOUNT = "smarthost@project.example.com"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class RefusedError(Exception):
    """An error of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status


@dataclass
class Consent:
    """What somebody has consented to in a browser, before it is fetched."""

    challenge: str
    redirect_uri: str


@dataclass
class Provider:
    """Its `received` forms are those of the token end point, in order."""

    clock: Clock = field(default_factory=SystemClock)
    token_url: str = ""
    expires_in: float | None = 3600
    grace: float = 0
    """Seconds that a token is good for beyond what it is said to be."""
    rotates: bool = False
    """Whether each use of a refresh token makes a new one, and the old one void. Who shows an
    old one has stolen it, for all that the provider knows: that ends the consent."""
    says_no: bool = False
    """Whether who is asked for consent gives none."""
    instead: bytes | Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None
    """What is answered in place of any token."""
    token_octets: int = 600
    """Of chance in an access token; those of the big providers are about as long."""
    mailboxes: frozenset[str] = frozenset({"notify@example.com"})
    received: list[dict[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What was answered to those that were refused."""
    void_refresh_tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)
    consents: dict[str, Consent] = field(default_factory=dict)
    _issued: dict[str, float] = field(default_factory=dict)
    _account_keys: list[rsa.RSAPublicKey] = field(default_factory=list)

    def new_refresh_token(self) -> str:
        token = f"refresh-{secrets.token_urlsafe(24)}"
        self.refresh_tokens.add(token)
        return token

    def new_account_key(self) -> str:
        """Make a key for the service account; gives its private half in PEM."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._account_keys.append(key.public_key())
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def consent(self, *, challenge: str, redirect_uri: str) -> str:
        """Have somebody consent; gives the code."""
        code = secrets.token_urlsafe(24)
        self.consents[code] = Consent(challenge, redirect_uri)
        return code

    def is_good(self, token: str) -> bool:
        """Say whether an access token is one of ours and not over."""
        return self._issued.get(token, float("-inf")) > self.clock.monotonic()

    def revoke_access(self) -> None:
        """Make all access tokens void, as at a change of the password."""
        self._issued.clear()

    async def __call__(self, request: Received, writer: asyncio.StreamWriter) -> None:
        if request.line.startswith("GET "):
            writer.write(self._consented(request.line.split(" ")[1]))
        elif callable(self.instead):
            await self.instead(writer)
        else:
            writer.write(self.instead if self.instead is not None else self._answer(request))
        await writer.drain()

    @property
    def access_tokens(self) -> list[str]:
        """All that were given out and not revoked."""
        return list(self._issued)

    def _answer(self, request: Received) -> bytes:
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        self.received.append(form)
        try:
            return answer(200, self._granted(form))
        except RefusedError as refused:
            self.refused.append(refused.error)
            said = {"error": refused.error, "error_description": refused.description}
            return answer(refused.status, said)

    def _consented(self, target: str) -> bytes:
        """The page on which somebody consents at once; sends the browser back."""
        asked = dict(parse_qsl(urlsplit(target).query, strict_parsing=True))
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
        assert (asked["scope"], asked["code_challenge_method"]) == (SCOPE, "S256")
        back = {"state": asked["state"]}
        if self.says_no:
            back |= {"error": "access_denied", "error_description": "The user said no."}
        else:
            back["code"] = self.consent(
                challenge=asked["code_challenge"], redirect_uri=asked["redirect_uri"]
            )
        return page(302, b"", "text/html", f"Location: {asked['redirect_uri']}?{urlencode(back)}")

    def _granted(self, form: dict[str, str]) -> dict[str, object]:
        grants = {
            "client_credentials": self._client_credentials,
            "refresh_token": self._refresh,
            "authorization_code": self._code,
            _JWT_BEARER: self._assertion,
        }
        grant = grants.get(form.get("grant_type", ""))
        if grant is None:
            raise RefusedError("unsupported_grant_type")
        return self._issue(grant(form))

    def _issue(self, refresh: str | None) -> dict[str, object]:
        token = f"access-{secrets.token_urlsafe(self.token_octets)}"
        life = 300.0 if self.expires_in is None else self.expires_in
        self._issued[token] = self.clock.monotonic() + life + self.grace
        granted: dict[str, object] = {"access_token": token, "token_type": "Bearer"}
        if self.expires_in is not None:
            granted["expires_in"] = self.expires_in
        if refresh is not None:
            granted["refresh_token"] = refresh
        return granted

    def _client(self, form: dict[str, str]) -> None:
        if form.get("client_id") != CLIENT_ID:
            raise RefusedError("unauthorized_client", "No such application.")
        if form.get("client_secret") != CLIENT_SECRET:
            raise RefusedError("invalid_client", "The secret is wrong or over.", 401)
        if form.get("scope", SCOPE) != SCOPE:
            raise RefusedError("invalid_scope", "This scope is not known here.")

    def _client_credentials(self, form: dict[str, str]) -> None:
        self._client(form)

    def _refresh(self, form: dict[str, str]) -> str | None:
        self._client(form)
        token = form.get("refresh_token", "")
        if token in self.void_refresh_tokens:
            self.refresh_tokens.clear()
        if token not in self.refresh_tokens:
            raise RefusedError("invalid_grant", "Token has been expired or revoked.")
        if not self.rotates:
            return None
        self.refresh_tokens.remove(token)
        self.void_refresh_tokens.add(token)
        return self.new_refresh_token()

    def _code(self, form: dict[str, str]) -> str:
        self._client(form)
        consent = self.consents.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        wanted = Consent(proof, form.get("redirect_uri", ""))
        if consent != wanted:
            raise RefusedError("invalid_grant", "That is not the code of this sign-in.")
        return self.new_refresh_token()

    def _assertion(self, form: dict[str, str]) -> None:
        claims = self._verified(form.get("assertion", ""))
        now = self.clock.now() // MICROSECONDS
        if claims["iat"] > now or claims["exp"] < now or claims["exp"] - claims["iat"] > 3600:
            raise RefusedError("invalid_grant", "Token must be a short-lived token.")
        if claims["aud"] != self.token_url:
            raise RefusedError("invalid_grant", "Invalid JWT audience.")
        if claims["iss"] != ACCOUNT or claims["scope"] != SCOPE:
            raise RefusedError("unauthorized_client", "Not for this client or scope.", 401)
        if claims["sub"] not in self.mailboxes:
            raise RefusedError("invalid_grant", "Invalid email or User ID")

    def _verified(self, statement: str) -> dict[str, Any]:
        for key in self._account_keys:
            try:
                return jwt.decode(
                    statement,
                    key,
                    algorithms=["RS256"],
                    options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
                )
            except jwt.PyJWTError:
                continue
        raise RefusedError("invalid_grant", "Invalid JWT Signature.")


def answer(status: int, value: object, *headers: str) -> bytes:
    """One HTTP answer with JSON."""
    return page(status, json.dumps(value).encode(), "application/json", *headers)


def page(status: int, body: bytes, kind: str = "text/html", *headers: str) -> bytes:
    """One HTTP answer."""
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", f"Content-Type: {kind}"]
    return "\r\n".join([*head, *headers, "", ""]).encode() + body
