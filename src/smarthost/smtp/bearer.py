"""SASL exchanges that show a token of OAuth2 in place of a password (RFC 6750).

OAUTHBEARER is RFC 7628's, XOAUTH2 the one that Google and Microsoft had before it. Both say all at
once. A relay that does not accept the token says why in a challenge, as JSON, and goes on only
when that is answered.
"""

import base64
from abc import ABC, abstractmethod
from collections.abc import Collection

import msgspec

from smarthost.secret import Secret
from smarthost.smtp.reply import hiding
from smarthost.smtp.sasl import SaslError

_SHOWN_LIMIT = 100
_CONTROL_A = "\x01"


class _Refusal(msgspec.Struct):
    """What a relay says of a token; all of it is optional (RFC 7628, section 3.2.2)."""

    status: str | int = ""
    scope: str = ""


class Bearer(ABC):
    """What both mechanisms have in common: one message, and the answer to a refusal."""

    mechanism = ""
    _SEEN = b""
    """What the refusal is answered with."""

    def __init__(self, user_name: str, token: Secret) -> None:
        self._user_name = user_name
        self.password = token
        self.refusal: str | None = None
        """Why the token was refused, as `status 400, scope https://mail.google.com/`."""
        self._refused = False

    def initial(self) -> bytes:
        """Give user name and token. Raises `ValueError` on one that would end the field it is in.

        Both were checked where they came from.
        """
        token = self.password.reveal()
        if _CONTROL_A in token or _CONTROL_A in self._user_name:
            raise ValueError("The user name or the token holds a control character.")
        return self._message(token).encode()

    def respond(self, challenge: bytes) -> bytes:
        """Take note of a refusal, and let the relay end the exchange."""
        if self._refused:
            raise SaslError(f"{self.mechanism} has one challenge.")
        self._refused = True
        self.refusal = _read(challenge, self.password)
        return self._SEEN

    def check_done(self) -> None:
        """Raise `SaslError` where the relay has refused the token before."""
        if self._refused:
            raise SaslError("The relay refused the token and accepted it.")

    @abstractmethod
    def _message(self, token: str) -> str:
        """Write user name and token as the mechanism has them."""


class OAuthBearer(Bearer):
    """OAUTHBEARER (RFC 7628)."""

    mechanism = "OAUTHBEARER"
    _SEEN = b"\x01"  # section 3.2.3

    def __init__(self, user_name: str, token: Secret, *, host: str, port: int) -> None:
        """`host` and `port` are the relay's, as the settings have them."""
        super().__init__(user_name, token)
        self._host = host
        self._port = port

    def _message(self, token: str) -> str:
        # RFC 5801, section 4: the identity of a GS2 header.
        identity = self._user_name.replace("=", "=3D").replace(",", "=2C")
        pairs = (f"host={self._host}", f"port={self._port}", f"auth=Bearer {token}")
        return _joined(f"n,a={identity},", *pairs)


class XOAuth2(Bearer):
    """XOAUTH2, as Google and Microsoft describe it."""

    mechanism = "XOAUTH2"

    def _message(self, token: str) -> str:
        return _joined(f"user={self._user_name}", f"auth=Bearer {token}")


def choose_bearer(
    offered: Collection[str], *, user_name: str, token: Secret, host: str, port: int
) -> Bearer | None:
    """Give an exchange for a token of a mechanism that the relay offers, or None.

    XOAUTH2 goes first: who offers both has had it for longer. Nothing else will do: a token is no
    password.
    """
    if XOAuth2.mechanism in offered:
        return XOAuth2(user_name, token)
    if OAuthBearer.mechanism in offered:
        return OAuthBearer(user_name, token, host=host, port=port)
    return None


def spellings(user_name: str, token: Secret, *, host: str, port: int) -> tuple[str, ...]:
    """Return the token as it is and as each login writes it, the longest first."""
    logins = (
        OAuthBearer(user_name, token, host=host, port=port),
        XOAuth2(user_name, token),
    )
    return (*(base64.b64encode(one.initial()).decode("ascii") for one in logins), token.reveal())


def _joined(*parts: str) -> str:
    return _CONTROL_A.join((*parts, "", ""))


def _read(challenge: bytes, token: Secret) -> str | None:
    try:
        said = msgspec.json.decode(challenge, type=_Refusal)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    # Before it is cut: of a part of the token nobody could tell what it is.
    status, scope = (hiding(str(one), [token.reveal()]) for one in (said.status, said.scope))
    parts = [f"status {_shown(status)}"] if status else []
    if scope:
        parts.append(f"scope {_shown(scope)}")
    return ", ".join(parts) or None


def _shown(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text[:_SHOWN_LIMIT])
