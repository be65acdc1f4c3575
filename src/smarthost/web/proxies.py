"""Says who is really asking when a reverse proxy stands in front.

`X-Forwarded-*` is a claim that anybody can make, so it is believed only when the connection
comes from a network that the operator has named. Pure: nothing here looks at a socket.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal

from smarthost.network import parse_ip
from smarthost.web.request_head import is_host

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]
Scheme = Literal["http", "https"]

_CLAIMS = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"})

# Some proxies write the port too: 192.0.2.1:4711, [2001:db8::1]:4711.
_HOP_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """Who is asking, as far as it can be believed.

    `address` is an IPv4 or IPv6 address as text; `host` is host or host:port as the client
    named this server, empty when it named none. `disbelieved`: `X-Forwarded-*` said something else
    perhaps, and came from nobody who is believed.
    """

    address: str
    scheme: Scheme
    host: str
    disbelieved: bool = False


def forwarded(
    *,
    peer: str,
    scheme: Scheme,
    headers: Iterable[tuple[bytes, bytes]],
    trusted: Networks,
) -> Client:
    """Return the client behind the connection.

    `peer` is the socket's peer address, `headers` are the request's as ASGI gives them (names
    in lower case). Forwarded values that are malformed are ignored.

    Raises ValueError when `peer` is no IP address and there are trusted networks.
    """
    headers = list(headers)
    host = _first(headers, b"host")
    if not trusted:
        return Client(
            address=_unmapped(peer), scheme=scheme, host=host, disbelieved=_has_claim(headers)
        )
    nearest = parse_ip(peer)
    if not _is_trusted(nearest, trusted):
        return Client(
            address=str(nearest), scheme=scheme, host=host, disbelieved=_has_claim(headers)
        )
    # Each proxy appends, so the last value is the one that the believed peer wrote.
    proto = _last(headers, b"x-forwarded-proto").lower()
    named = _last(headers, b"x-forwarded-host")
    return Client(
        address=str(_walk(nearest, _values(headers, b"x-forwarded-for"), trusted)),
        scheme="https" if proto == "https" else "http" if proto == "http" else scheme,
        host=named if is_host(named) else host,
    )


def is_within(address: str, networks: Networks) -> bool:
    """Tell whether an address is in one of the networks. Raises ValueError for no IP address."""
    return _is_trusted(parse_ip(address), networks)


def _walk(nearest: Address, hops: list[str], trusted: Networks) -> Address:
    """Go from the nearest proxy outwards for as long as each one is to be believed."""
    address = nearest
    for text in reversed(hops):
        if not _is_trusted(address, trusted):
            break
        hop = _hop(text)
        if hop is None:
            break
        address = hop
    return address


def _hop(text: str) -> Address | None:
    match = _HOP_WITH_PORT.fullmatch(text)
    bare = (match[1] or match[2]) if match else text
    # A zone (%eth0) has a meaning on the proxy's machine alone.
    if "%" in bare:
        return None
    try:
        return parse_ip(bare)
    except ValueError:
        return None


def _unmapped(text: str) -> str:
    return str(parse_ip(text)) if text[:7].lower() == "::ffff:" else text


def _is_trusted(address: Address, trusted: Networks) -> bool:
    return any(address in network for network in trusted)


def _has_claim(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name in _CLAIMS for name, _ in headers)


def _first(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    for key, value in headers:
        if key == name:
            return value.decode("latin-1")
    return ""


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """Return the elements of a list header that may be there several times (RFC 9110 5.3)."""
    joined = b",".join(value for key, value in headers if key == name)
    return [part.strip() for part in joined.decode("latin-1").split(",")] if joined else []


def _last(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str:
    values = _values(headers, name)
    return values[-1] if values else ""
