"""The name or IP address of a relay, as an administrator types it.

What people paste into such a field (a URL, host and port, an e-mail address) is not guessed at
but explained: each message names what to type where. A password inside a pasted URL is never
repeated, since nothing but a host that was read and a port comes back in a message.
"""

from typing import NamedTuple

from smarthost.mail.characters import hidden_character
from smarthost.mail.domain import DomainError, ends_in_number, ipv4, ipv6, to_a_labels

_TEXT_LIMIT = 255  # characters: the contract's limit for the field
_SHOWN_LIMIT = 60


class HostError(ValueError):
    """The text is no host; the message tells the administrator what to type instead."""


class _Pasted(NamedTuple):
    host: str
    port: str
    url: bool
    login: bool
    path: bool


def parse_host(text: str) -> str:
    """Read a relay's host name or IP address, at most 255 characters.

    Gives a name as lower-case A-labels without final dot (at most 253 characters), an IPv4
    address as four decimal numbers, or an IPv6 address without brackets as in RFC 5952. A
    single label such as `localhost` is a name. Blanks (U+0020) around it are dropped.

    Underscores are allowed: RFC 1123 has none in host names, but DNS itself takes them (RFC
    2181, section 11), container networks use them, and the host only ever goes to a resolver
    and into the TLS handshake, never into an SMTP command.

    Raises `HostError` on anything else, with a message for the administrator.
    """
    if len(text) > _TEXT_LIMIT:
        raise HostError(f"The host name is too long: it has at most {_TEXT_LIMIT} characters.")
    text = text.strip(" ")
    if not text:
        raise HostError("Type the host name of the mail server, such as mail.example.com.")
    hidden = hidden_character(text)
    if hidden is not None:
        raise HostError(
            f"The host name contains a control or invisible character (U+{ord(hidden):04X}). "
            "Type it by hand instead of pasting it."
        )
    _refuse_lists(text)
    _refuse_pasted(text)
    return _plain_host(text)


def split_host_port(text: str) -> tuple[str, str | None]:
    """Part `host:port` or `[IPv6]:port` (RFC 3986, section 3.2); the port is None when absent.

    An IPv6 address without brackets comes back whole, since its end cannot be told from a port.
    """
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        return (host + bracket, rest[1:]) if rest.startswith(":") else (text, None)
    host, colon, port = text.rpartition(":")
    if not colon or ":" in host:
        return text, None
    return host, port


def _plain_host(text: str) -> str:
    try:
        if text.startswith("[") or text.endswith("]"):
            return _bracketed(text)
        if ":" in text:
            return ipv6(text)
        name = to_a_labels(_without_final_dot(text), underscore=True)
        return ipv4(name) if ends_in_number(name) else name
    except DomainError as error:
        raise HostError(f"This is not a valid host name. {error}") from None


def _bracketed(text: str) -> str:
    inner = text.removeprefix("[").removesuffix("]")
    if len(inner) != len(text) - 2 or ":" not in inner:
        raise DomainError("Square brackets stand only around an IPv6 address: [2001:db8::1].")
    return ipv6(inner)


def _without_final_dot(text: str) -> str:
    # The root's dot (RFC 1034, section 3.1), also as the ideographic full stops of UTS 46.
    return text[:-1] if len(text) > 1 and text[-1] in ".\u3002\uff0e\uff61" else text


def _refuse_lists(text: str) -> None:
    words = text.replace(",", " , ").replace(";", " ; ").split()
    if len(words) == 2 and _is_port(words[1]):
        raise HostError(_type_only(_shown(words[0]), words[1], login=False))
    if "," in words or ";" in words:
        raise HostError("Only one host goes here. Type one host name, without commas.")
    if len(words) > 1:
        raise HostError("A host name has no blanks in it. Type only the host name.")


def _refuse_pasted(text: str) -> None:
    pasted = _taken_apart(text)
    if pasted.host == text:
        return
    reason = ""
    if pasted.url:
        reason = "This is a URL. "
    elif pasted.login:
        reason = "This contains an @. "
    elif pasted.path:
        reason = "This contains a path. "
    shown = _shown(pasted.host)
    # A password may hold the very characters that part a URL, so that a piece of it would be
    # taken for the host; "smtp:mail.example.com" has its host where the port is.
    if text.count("@") > pasted.login or (pasted.port and not _is_port(pasted.port)):
        shown = ""
    raise HostError(reason + _type_only(shown, pasted.port, login="@" in text))


def _taken_apart(text: str) -> _Pasted:
    scheme, slashes, rest = text.partition("://")
    rest = (rest if slashes else scheme).lstrip("/\\")
    end = next((at for at, char in enumerate(rest) if char in "/\\?#"), len(rest))
    _, at_sign, place = rest[:end].rpartition("@")
    host, port = place, ""
    if place.startswith("[") and "]:" in place:
        host, _, port = place.partition("]:")
        host += "]"
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    return _Pasted(
        host=host, port=port, url=bool(slashes), login=bool(at_sign), path=rest[:end] != text
    )


def _type_only(host: str, port: str, *, login: bool) -> str:
    parts = [f"Type only the host name{host and f', {host},'} here"]
    if port:
        parts.append(f"{port if host and _is_port(port) else 'the port'} in the port field")
    if login:
        parts.append("the user name in the user name field")
    return ", and ".join(parts) + "."


def _shown(text: str) -> str:
    try:
        host = _plain_host(text)
    except HostError:
        return ""
    return host if len(host) <= _SHOWN_LIMIT else ""


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535
