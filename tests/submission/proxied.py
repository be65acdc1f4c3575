"""Headers of the PROXY protocol as proxies send them."""

from ipaddress import ip_address

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


def line(
    source: str, destination: str = "192.0.2.1", port: int = 4711, own_port: int = 587
) -> bytes:
    """Return a header of version 1."""
    protocol = f"TCP{ip_address(source).version}"
    return f"PROXY {protocol} {source} {destination} {port} {own_port}\r\n".encode()


def block(
    source: str,
    destination: str = "192.0.2.1",
    port: int = 4711,
    own_port: int = 587,
    *,
    more: bytes = b"",
) -> bytes:
    """Return a header of version 2, with `more` behind the addresses."""
    ends = ip_address(source), ip_address(destination)
    protocol = 0x11 if ends[0].version == 4 else 0x21
    content = b"".join(
        [end.packed for end in ends] + [n.to_bytes(2, "big") for n in (port, own_port)]
    )
    content += more
    return SIGNATURE + bytes([0x21, protocol]) + len(content).to_bytes(2, "big") + content
