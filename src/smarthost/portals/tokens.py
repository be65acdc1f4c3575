"""API keys and session tokens: how they look, how they are made, what is stored of them.

A token is `<kind>_<id>_<secret>`: the id finds its row, and only the SHA-256 of the secret is
stored. The secret is 256 random bits, so a slow hash would add nothing but load, and looking up
by id leaves no timing that depends on the secret.
"""

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable
from enum import StrEnum

import msgspec

from smarthost.secret import Secret

LONGEST_TOKEN = 256
"""Characters; a longer credential is not looked at."""

_SECRET_BYTES = 32
_SECRET_CHARACTERS = 43
_ID_CHARACTERS = 36
_LENGTH = len("sh_") + _ID_CHARACTERS + len("_") + _SECRET_CHARACTERS


class TokenKind(StrEnum):
    """The first letters of a token."""

    API_KEY = "sh"
    SESSION = "ss"


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
    if len(text) != _LENGTH or not text.isascii():
        return None
    kind, token_id, secret = text[:2], text[3:39], text[40:]
    if kind not in ("sh", "ss") or text[2] != "_" or text[39] != "_":
        return None
    try:
        if str(uuid.UUID(token_id)) != token_id:
            return None
    except ValueError:
        return None
    return Token(kind=TokenKind(kind), id=token_id, secret=Secret(secret))
