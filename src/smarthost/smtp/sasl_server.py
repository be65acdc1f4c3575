"""The server's side of the SASL exchanges in which a password is shown: PLAIN and LOGIN.

An API key is a password of 256 random bits that is stored as a hash, so nothing is gained by the
mechanisms that keep a password from whoever reads along; TLS does that. Pure: responses in,
challenges or credentials out.
"""

import base64
import binascii
from typing import Protocol

import msgspec

from smarthost.secret import Secret


class BadResponseError(ValueError):
    """The response does not fit the mechanism, or is no base64."""


class CancelledError(Exception):
    """The client has broken the exchange off."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a client shows."""

    user_name: str
    password: Secret


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """What the client is asked for."""

    text: str
    """As it goes behind the 334: in base64, or empty."""


class Exchange(Protocol):
    """One authentication, used once. Its methods raise `BadResponseError`."""

    def begin(self, initial: bytes | None) -> Challenge | Credentials:
        """Take the initial response, if there is one."""
        ...

    def respond(self, response: bytes) -> Challenge | Credentials:
        """Take the answer to the last challenge."""
        ...


class PlainExchange:
    """PLAIN (RFC 4616)."""

    def begin(self, initial: bytes | None) -> Challenge | Credentials:
        """Take the message if it has come already."""
        return Challenge(text="") if initial is None else self.respond(initial)

    def respond(self, response: bytes) -> Credentials:
        """Take the message: whom to act as, who it is, the password, a NUL between two."""
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise BadResponseError("PLAIN takes three parts.")
        acts_as, user_name, password = map(_text, parts)
        # To act as somebody else nobody is allowed: what is asked for is not what is shown.
        return _credentials(user_name, password if acts_as in ("", user_name) else "")


class LoginExchange:
    """LOGIN, which no RFC describes: user name, then password, each in a response."""

    def __init__(self) -> None:
        self._user_name: str | None = None

    def begin(self, initial: bytes | None) -> Challenge | Credentials:
        """Take the user name if it has come already."""
        return Challenge(text=_USER_NAME) if initial is None else self.respond(initial)

    def respond(self, response: bytes) -> Challenge | Credentials:
        """Take the user name, then the password."""
        if self._user_name is None:
            self._user_name = _text(response)
            return Challenge(text=_PASSWORD)
        return _credentials(self._user_name, _text(response))


EXCHANGES: dict[str, type[PlainExchange | LoginExchange]] = {
    "PLAIN": PlainExchange,
    "LOGIN": LoginExchange,
}
"""Each mechanism by its name, the one that is preferred first."""

_USER_NAME = base64.b64encode(b"Username:").decode()
_PASSWORD = base64.b64encode(b"Password:").decode()
_CANCEL = b"*"
_EMPTY = "="


class ServerLogin:
    """The dialogue of AUTH (RFC 4954, section 4): lines in base64 around one exchange.

    Its methods raise `BadResponseError`, after which it is over.
    """

    def __init__(self, mechanism: str) -> None:
        """`mechanism` is one of `EXCHANGES`."""
        self._exchange: Exchange = EXCHANGES[mechanism]()

    def begin(self, initial: str | None) -> Challenge | Credentials:
        """Take what came with AUTH; an empty response is written `=`."""
        if initial is None:
            return self._exchange.begin(None)
        return self._exchange.begin(
            b"" if initial == _EMPTY else _decoded(initial.encode("ascii"))
        )

    def respond(self, line: bytes) -> Challenge | Credentials:
        """Take the line that answers a challenge. Raises `CancelledError`, too."""
        if line == _CANCEL:
            raise CancelledError
        return self._exchange.respond(_decoded(line))


def _decoded(line: bytes) -> bytes:
    try:
        octets = base64.b64decode(line, validate=True)
    except binascii.Error:
        octets = b""
    # RFC 4648, section 3.5: other spellings of the same octets are passed by the library.
    if base64.b64encode(octets) != line:
        raise BadResponseError("That is no base64.")
    return octets


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise BadResponseError("That is no UTF-8.") from None


def _credentials(user_name: str, password: str) -> Credentials:
    return Credentials(user_name=user_name, password=Secret(password))
