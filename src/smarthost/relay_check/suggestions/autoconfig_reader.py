"""Reads a domain's own description of its mail servers, in the format of Mozilla's autoconfig.

It comes from a stranger. So there is no document type and with it no entity, the depth is bounded,
the length is the caller's to bound, and what the settings could not say or our own rules refuse is
passed over.
"""

from collections.abc import Iterator
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

import msgspec

from smarthost.delivery.relay import IMPLICIT_TLS_PORTS
from smarthost.mail.host import HostError, parse_host
from smarthost.relay_check.suggestions.model import (
    DOMAIN,
    LONGEST_TEXT,
    Confidence,
    Found,
    Source,
)

DEEPEST = 32
"""Elements inside each other; the format has five or six."""
MOST_SERVERS = 10

_ENCODINGS = frozenset({"utf-8", "us-ascii", "iso-8859-1"})
_SERVER = ["clientConfig", "emailProvider", "outgoingServer"]
_ONLY_TOKENS = "Set OAuth2 up for this server: it takes no password."

_TLS = {"SSL": True, "STARTTLS": True, "plain": False}
_PASSWORD = frozenset({"password-cleartext", "plain", "password-encrypted", "secure"})
_NO_LOGIN = frozenset({"none", "client-IP-address"})


class NoConfigError(ValueError):
    """It is no such description, or one that is not read."""


class _Server(msgspec.Struct, kw_only=True):
    """An `outgoingServer` as it stands there."""

    kind: str
    hostname: str = ""
    port: str = ""
    socket_type: str = ""
    user_name: str = ""
    authentication: list[str] = []


def read_autoconfig(document: bytes, domain: str, confidence: Confidence) -> list[Found]:
    """Return the relays that `document` names for `domain`, in its order.

    At most `MOST_SERVERS` are looked at; one without TLS has the confidence LOW. Raises
    `NoConfigError` where the document is not well-formed, has a document type, or is too deep.
    """
    reader = _Reader()
    parser = ParserCreate()
    parser.buffer_text = True
    parser.XmlDeclHandler = reader.declared
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(document, True)
    except ExpatError as error:
        raise NoConfigError("It is not well-formed.") from error
    found = (_found(server, domain, confidence) for server in reader.servers)
    return [one for one in found if one is not None]


class _Reader:
    """Collects servers while the parser goes through the document."""

    def __init__(self) -> None:
        self.servers: list[_Server] = []
        self._path: list[str] = []
        self._text = ""

    def declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        # Others would be read by codecs that nobody has looked through for this.
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise NoConfigError("It is in another encoding than UTF-8.")

    def refuse(self, *_doctype: Any) -> None:  # noqa: ANN401 - expat's
        raise NoConfigError("It has a document type.")

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        self._text = ""
        if len(self._path) > DEEPEST:
            raise NoConfigError("It is too deep.")
        if self._path == _SERVER:
            self.servers.append(_Server(kind=attributes.get("type", "")))
            if len(self.servers) > MOST_SERVERS:
                raise NoConfigError("It has too many servers.")

    def text(self, text: str) -> None:
        self._text += text

    def end(self, name: str) -> None:
        if self._path[:-1] == _SERVER:
            self._keep(self.servers[-1], name, self._text.strip())
        self._path.pop()
        self._text = ""

    def _keep(self, server: _Server, name: str, value: str) -> None:
        if len(value) > LONGEST_TEXT:
            return
        match name:
            case "hostname":
                server.hostname = server.hostname or value
            case "port":
                server.port = server.port or value
            case "socketType":
                server.socket_type = server.socket_type or value
            case "username":
                server.user_name = server.user_name or value
            case "authentication":
                server.authentication.append(value)


def _found(server: _Server, domain: str, confidence: Confidence) -> Found | None:
    place = _place(server, domain)
    login = next(_logins(server.authentication or ["password-cleartext"]), None)
    if server.kind != "smtp" or place is None or login is None:
        return None
    host, port = place
    enable_ssl = _TLS[server.socket_type]
    return Found(
        host=host,
        port=port,
        enable_ssl=enable_ssl,
        enable_auth=login not in _NO_LOGIN,
        use_ntlm=login == "NTLM",
        user_name=_user_name(server),
        source=Source.AUTOCONFIG,
        confidence=confidence if enable_ssl else Confidence.LOW,
        first=_ONLY_TOKENS if login == "OAuth2" else None,
        oauth2="OAuth2" in server.authentication,
    )


def _place(server: _Server, domain: str) -> tuple[str, int] | None:
    """Return host and port, if the settings can say how TLS comes about there."""
    if not (server.port.isascii() and server.port.isdecimal() and len(server.port) <= 5):
        return None
    port = int(server.port)
    at_once = server.socket_type == "SSL"
    if server.socket_type not in _TLS or (port in IMPLICIT_TLS_PORTS) != at_once:
        return None
    try:
        host = parse_host(server.hostname.replace(DOMAIN, domain))
    except HostError:
        return None
    return (host, port) if 1 <= port <= 65535 else None


def _logins(named: list[str]) -> Iterator[str]:
    """Give what the settings can say of the ways to log in, the easiest first."""
    for way in (_PASSWORD, {"NTLM"}, {"OAuth2"}, _NO_LOGIN):
        yield from (name for name in named if name in way)


def _user_name(server: _Server) -> str | None:
    return server.user_name if server.user_name.isprintable() and server.user_name else None
