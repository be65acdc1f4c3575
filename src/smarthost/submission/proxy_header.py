"""The header by which a proxy says who is at the other end (HAProxy's PROXY protocol, 1 and 2).

Pure: octets in, an address out. How long a header is shows in its first octets or in its CRLF, so
what follows it is never looked at. What is not as that specification has it is refused and not
guessed at, since whom a client counts as depends on it.
"""

from ipaddress import IPv4Address, IPv6Address

from smarthost.network import parse_ip

Address = IPv4Address | IPv6Address

LONGEST = 4_112
"""Octets that a header may have. What a proxy adds of TLS, names and ids is some hundred."""

_LINE = b"PROXY "
_LONGEST_LINE = 107  # section 2.1, with its CRLF
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"  # section 2.2
BEGINNINGS = (_LINE, _SIGNATURE)
"""What headers begin with, of either version."""
_FIXED = len(_SIGNATURE) + 4
_LOCAL, _PROXY = 0x20, 0x21  # version 2, and the command
_OVER_IPV4, _OVER_IPV6 = 0x11, 0x21
# Unknown to the proxy, or a UNIX socket of its machine.
_WITHOUT_ADDRESS = (0x00, 0x31)
_LARGEST_PORT = 65_535


class ProxyHeaderError(Exception):
    """No header that can be taken; the text says why, and has nothing of what came."""


def header_size(octets: bytes) -> int | None:
    """Return how many octets the header has that begins so; None: too few are there to tell.

    All of `octets` are the header's own then. Raises `ProxyHeaderError` as soon as these can begin
    none.
    """
    if octets[: len(_LINE)] == _LINE[: len(octets)]:
        return _line_size(octets)
    if octets[: len(_SIGNATURE)] != _SIGNATURE[: len(octets)]:
        raise ProxyHeaderError("The connection begins with something else.")
    if len(octets) < _FIXED:
        return None
    size = _FIXED + int.from_bytes(octets[_FIXED - 2 : _FIXED], "big")
    if size > LONGEST:
        raise ProxyHeaderError("The header is too long.")
    return size


def told_address(header: bytes) -> Address | None:
    """Return the client's address out of a whole header.

    None: the connection is the proxy's own, or it knows no address. Raises `ProxyHeaderError`.
    """
    try:
        if header.startswith(_LINE):
            return _of_line(header.removesuffix(b"\r\n").decode("latin-1"))
        return _of_block(header[len(_SIGNATURE)], header[len(_SIGNATURE) + 1], header[_FIXED:])
    except ValueError as error:
        raise ProxyHeaderError("The header is not written as it should be.") from error


def _line_size(octets: bytes) -> int | None:
    end = octets.find(b"\r\n", 0, _LONGEST_LINE)
    if end >= 0:
        return end + 2
    if len(octets) >= _LONGEST_LINE:
        raise ProxyHeaderError("The header is too long.")
    return None


def _of_line(line: str) -> Address | None:
    _, protocol, *rest = line.split(" ")
    if protocol == "UNKNOWN":
        return None  # whatever follows (section 2.1)
    address_of = {"TCP4": IPv4Address, "TCP6": IPv6Address}.get(protocol)
    source, destination, *ports = rest
    if address_of is None or "%" in line or len(ports) != 2 or not all(map(_is_port, ports)):
        raise ValueError
    address_of(destination)
    return parse_ip(str(address_of(source)))


def _is_port(text: str) -> bool:
    return text.isdecimal() and int(text) <= _LARGEST_PORT and text == str(int(text))


def _of_block(command: int, protocol: int, block: bytes) -> Address | None:
    """Read what follows the signature; behind the addresses may be more, which is passed over."""
    if command == _LOCAL:
        return None
    if command == _PROXY:
        if protocol in _WITHOUT_ADDRESS:
            return None
        # Two addresses and two ports each.
        if protocol == _OVER_IPV4 and len(block) >= 12:
            return IPv4Address(block[:4])
        if protocol == _OVER_IPV6 and len(block) >= 36:
            return parse_ip(str(IPv6Address(block[:16])))
    raise ValueError
