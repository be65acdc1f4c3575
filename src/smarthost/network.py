"""What is to be known of a client's address beside the address: whom it stands for, how far it is.

Pure: nothing here looks at a socket.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_IPV6_SUBSCRIBER_BITS = 64


def parse_ip(text: str) -> IPv4Address | IPv6Address:
    """Return an address; an IPv4 one in IPv6 form is that IPv4 address. Raises ValueError."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


def rate_key(address: str) -> str:
    """Return what an address is counted by: itself, or the /64 of an IPv6 address.

    One subscriber usually holds a whole /64 (RFC 6177), so single IPv6 addresses cost nothing.
    Raises ValueError when it is no IP address.
    """
    if ":" not in address:
        return str(IPv4Address(address))
    parsed = parse_ip(address)
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(ip_network((int(parsed), _IPV6_SUBSCRIBER_BITS), strict=False))
