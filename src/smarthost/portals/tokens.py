"""Tokens of keys, sessions and sign-in links: how they look, how they are made, what is stored.

A token is `<kind>_<id>_<secret>`: the id finds its row, and only the SHA-256 of the secret is
stored. The secret is 256 random bits, so a slow hash would add nothing but load, and looking up
by id leaves no timing that depends on the secret.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from enum import StrEnum

import msgspec

from smarthost.secret import Secret

LONGEST_TOKEN = 256
"""Characters; a longer credential is not looked at."""

_SECRET_BYTES = 32
_TOKEN = re.compile(
    "(sh|ss|sl)_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})_([A-Za-z0-9_-]{43})"
)


class TokenKind(StrEnum):
    """The first letters of a token."""

    API_KEY = "sh"
    SESSION = "ss"
    SIGN_IN_LINK = "sl"


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token that somebody showed, taken apart; not yet known to be valid."""

    kind: TokenKind
    id: str
    secret: Secret

    def text(self) -> Secret:
        """Return the whole token, to be shown once."""
        return Secret(f"{self.kind}_{self.id}_{self.secret.reveal()}")

    def postfix(self) -> str:
        """Return the last four characters, by which people tell their keys apart."""
        return self.secret.reveal()[-4:]

    def hash(self) -> bytes:
        """Return what is stored: 32 octets."""
        return hashlib.sha256(self.secret.reveal().encode()).digest()

    def matches(self, stored_hash: bytes) -> bool:
        """Whether `stored_hash` was made from this token, in constant time."""
        return hmac.compare_digest(self.hash(), stored_hash)


def new_token(
    kind: TokenKind, token_id: str, random_bytes: Callable[[int], bytes] = secrets.token_bytes
) -> Token:
    """Make a token with a new secret for the row `token_id`, a UUID's text."""
    secret = base64.urlsafe_b64encode(random_bytes(_SECRET_BYTES)).rstrip(b"=").decode()
    return Token(kind=kind, id=token_id, secret=Secret(secret))


def parse_token(text: str) -> Token | None:
    """Take a token apart; None for anything that is none of ours."""
    if len(text) > LONGEST_TOKEN:
        return None
    parts = _TOKEN.fullmatch(text)
    if parts is None:
        return None
    return Token(kind=TokenKind(parts[1]), id=parts[2], secret=Secret(parts[3]))
