"""Places that a gate must keep shut, in the spellings that have slipped through one somewhere.

Whoever wants to reach a machine inside would type one of these, or would have a name lead there.
"""

import ipaddress
from collections.abc import Iterator
from typing import NamedTuple

PUBLIC_4, PUBLIC_6 = "93.184.216.34", "2606:2800:220:1::1"
"""Public addresses, which only the port or the company that they are in makes forbidden."""

LISTED = "10.20.0.0/16, 2001:db8:20::/48"
"""Networks that an operator may have named; none of the destinations is in them."""

# Loopback, metadata, three private networks, carrier-grade NAT, and this very machine.
_INSIDE = (
    "127.0.0.1",
    "169.254.169.254",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",
)
# Other addresses that are special, and the edges of their networks.
_SPECIAL = """
0.1.2.3 10.255.255.255 10.19.255.255 10.21.0.0 100.100.100.200 100.127.255.255 127.0.1.1
127.255.255.254 169.254.0.1 169.254.170.2 172.31.255.255 192.0.0.8 192.0.0.192 192.0.2.1
192.88.99.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 232.0.0.1
239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 100::1 64:ff9b:1::a00:1 2001::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1
2001:db8:1f:ffff::1 3fff::1 5f00::1 fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fdff:ffff::1 fe80::1
fe80::a9fe:a9fe febf::1 fec0::1 feff::1 ff01::1 ff02::1 ff02::fb ff05::2 ff0e::1
"""
_ZONES = ("fe80::1%lo", "fe80::1%25lo", "::1%1", "fe80::1%eth0", "fd00::1%0", "[fe80::1%lo]")
_LOCAL_NAMES = ("localhost", "localhost.", "LOCALHOST", "LocalHost.", "ｌｏｃａｌｈｏｓｔ")  # noqa: RUF001
_PORTS_NOT_OF_MAIL = (1, 21, 22, 23, 53, 80, 110, 143, 389, 443, 993, 995, 1433, 2375, 2466)
_MORE_PORTS_NOT_OF_MAIL = (3306, 5432, 6379, 8025, 8080, 9200, 11211, 27017, 65535)

_FULL_WIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")  # noqa: RUF001
_CIRCLED = str.maketrans("123456789", "①②③④⑤⑥⑦⑧⑨")


class Destination(NamedTuple):
    """What an administrator types, and what a name server says of it where it is a name."""

    host: str
    port: int = 587
    answers: tuple[str, ...] = ()
    """The addresses, in the order in which they are given."""
    aliases: int = 0
    """How many names in a row are only another name for the next (CNAME)."""

    @property
    def name(self) -> str:
        """The name that is looked up."""
        return self.host.rstrip(".").lower()


def forbidden() -> list[Destination]:
    """Return the destinations that neither `public` nor `LISTED` allows."""
    found = (
        *(Destination(host) for address in _INSIDE for host in _spellings(address)),
        *(Destination(host) for address in _INSIDE[:2] for host in _pasted(address)),
        *map(Destination, (*_SPECIAL.split(), *_ZONES)),
        *(Destination(host, answers=("::1", "127.0.0.1")) for host in _LOCAL_NAMES),
        *_names(),
        *_ports(),
    )
    return list(dict.fromkeys(found))


def _spellings(address: str) -> Iterator[str]:
    number = int(ipaddress.IPv4Address(address))
    one, two, three, four = ipaddress.IPv4Address(address).packed
    yield from (address, f"{address}.", f" {address} ", f"[{address}]", f"{address}%lo")
    # As inet_aton(3) reads it: in one, two and three parts, octal, hexadecimal, and beyond.
    yield from (f"{number}", f"{number:#x}", f"0{number:o}", f"{number + 2**32}")
    yield from (f"{one}.{number & 0xFFFFFF}", f"{one}.{two}.{number & 0xFFFF}")
    yield from (f"{one:#x}.{two:#x}.{three:#x}.{four:#x}", f"{one:#X}.{number & 0xFFFFFF}")
    yield from (f"0{one:o}.0{two:o}.0{three:o}.0{four:o}", f"{one:03}.{two:03}.{three:03}.{four}")
    yield from (f"{one + 256}.{two}.{three}.{four}", address.replace(".", "。"))
    yield from (address.translate(_FULL_WIDTH), address.translate(_CIRCLED))
    yield from _within_ipv6(number)


def _within_ipv6(number: int) -> Iterator[str]:
    """Give the IPv6 addresses that carry an IPv4 address inside."""
    pair = f"{number >> 16:x}:{number & 0xFFFF:x}"
    other = number ^ 0xFFFFFFFF
    yield from (f"::ffff:{pair}", f"[::FFFF:{pair}]", f"0:0:0:0:0:ffff:{pair}")  # RFC 4291
    yield from (f"::ffff:{ipaddress.IPv4Address(number)}", f"::{pair}", f"::ffff:0:{pair}")
    yield from (f"64:ff9b::{pair}", f"64:ff9b:1::{pair}")  # RFC 6052, RFC 8215
    yield from (f"2002:{pair}::1", f"fe80::5efe:{pair}")  # RFC 3056, RFC 5214
    yield f"2001:0:{pair}::f7f7:f7f7"  # RFC 4380: as the server, and as the client
    yield f"2001:0:808:808::{other >> 16:x}:{other & 0xFFFF:x}"


def _pasted(address: str) -> Iterator[str]:
    yield from (f"http://{address}/", f"smtp://{address}", f"//{address}", f"{address}/")
    yield from (f"{address}:25", f"user@{address}", f"{address}#@relay.example.com")
    yield from (f"relay.example.com@{address}", f"{address}\\@relay.example.com")
    yield from (f"{address}\0", f"{address}\0.example.com", f"{address}\t", f"\u200b{address}")
    yield from (f"{address} relay.example.com", f"{address},relay.example.com")


def _names() -> Iterator[Destination]:
    """Give names that lead inside: alone, over aliases, and beside addresses that are public."""
    for index, address in enumerate((*_INSIDE, "::1", "fd00::1", "fe80::1", "::ffff:127.0.0.1")):
        name = f"{index}.gate.example"
        yield Destination(f"alone{name}", answers=(address,))
        yield Destination(f"alias{name}", answers=(address,), aliases=3)
        yield Destination(f"last{name}", answers=(PUBLIC_4, PUBLIC_6, address))
        yield Destination(f"first{name}", answers=(address, PUBLIC_4, PUBLIC_6))
        yield Destination(f"Under_Score{name}.", answers=(PUBLIC_4, address), aliases=1)


def _ports() -> Iterator[Destination]:
    for port in (*_PORTS_NOT_OF_MAIL, *_MORE_PORTS_NOT_OF_MAIL):
        yield Destination(PUBLIC_4, port)
    yield Destination(PUBLIC_6, 22)
    yield Destination("ports.gate.example", 80, answers=(PUBLIC_4, PUBLIC_6))
