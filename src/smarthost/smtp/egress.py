"""The one gate that a connection to a relay goes through.

A name is resolved once, every address it has is checked, and the caller connects to an address
that was checked, never to the name: nothing can change between the check and the connection (DNS
rebinding). An address that carries another one inside is judged by what it reaches.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, Protocol

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PUBLIC_PORTS = frozenset({25, 465, 587, 2465, 2525})
"""Ports that mail is submitted at. Others would make the test a port scanner."""

LOOKUPS_AT_ONCE = 32

MOST_ADDRESSES = 8
"""Of a name, of either kind, that are connected to: with more, whoever answers for it would have
this machine knock on thousands of others. Large providers have as many."""

# IANA's registry of special-purpose addresses, and multicast. Our own table, since the answers of
# ipaddress.is_global differ between releases of Python and leave multicast in.
_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
# Global unicast is 2000::/3 (RFC 4291, section 2.4), but for these.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052, section 2.1


class EgressError(Exception):
    """The gate stays shut."""


class RelayNotFoundError(EgressError):
    """The name does not exist, or has no address."""


class NameLookupError(EgressError):
    """The name could not be looked up just now."""


class DestinationForbiddenError(EgressError):
    """An address or the port is not among those that the operator allows."""


class Resolver(Protocol):
    """Turns a name into addresses."""

    async def resolve(self, host: str) -> list[str]:
        """Give every address of `host`, best first.

        Raises `RelayNotFoundError` where there is none, `NameLookupError` where the question
        could not be answered.
        """
        ...


class SystemResolver:
    """The machine's own resolver: its hosts file, its name servers, its order of addresses.

    It asks in threads of its own, one for each name, so that slow name servers of one domain hold
    up neither other names nor anything else that needs a thread. It belongs to one event loop.
    """

    def __init__(self, look_up: Callable[[str], list[str]] | None = None) -> None:
        """`look_up` takes the place of getaddrinfo(3), and raises as `socket.getaddrinfo` does."""
        self._look_up = look_up or _addresses
        self._room = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._asked: dict[str, asyncio.Task[list[str]]] = {}

    async def resolve(self, host: str) -> list[str]:
        """Give every address of `host`, in the order of RFC 6724.

        Whoever asks for a name that is being looked up gets the same answer.
        """
        asked = self._asked.get(host)
        if asked is None:
            asked = self._asked[host] = asyncio.create_task(self._looked_up(host))
        # Whoever gives up waiting ends it for nobody else; getaddrinfo cannot be stopped anyway.
        return await asyncio.shield(asked)

    async def _looked_up(self, host: str) -> list[str]:
        try:
            async with self._room:
                return await _in_thread(partial(self._look_up, host))
        except socket.gaierror as error:
            if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
                raise RelayNotFoundError from error
            raise NameLookupError from error
        except (OSError, UnicodeError) as error:
            raise NameLookupError from error
        finally:
            del self._asked[host]


def _addresses(host: str) -> list[str]:
    return [str(place[0]) for *_, place in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


async def _in_thread(work: Callable[[], list[str]]) -> list[str]:
    """Have something done in a thread that does not keep this process from ending."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def tell(found: list[str] | Exception) -> None:
        if answer.done():  # nobody waits any more
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def run() -> None:
        found: list[str] | Exception
        try:
            found = work()
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            found = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=run, name="lookup", daemon=True).start()
    return await answer


@dataclass(frozen=True, slots=True)
class Policy:
    """Where relays may be: anywhere, at public addresses, or in these networks and no others.

    `public` also keeps to `public_ports`; a network that the operator has named may be reached at
    any port.
    """

    networks: Literal["any", "public"] | tuple[Network, ...]
    public_ports: frozenset[int] = PUBLIC_PORTS

    def allows(self, address: Address, port: int) -> bool:
        """Say whether a relay may be at this address and port."""
        if self.networks == "any":
            return True
        if self.networks == "public":
            return port in self.public_ports and is_public(address)
        return all(_within(one, self.networks) for one in reached(address))


async def destinations(host: str, policy: Policy, resolver: Resolver, *, port: int) -> list[str]:
    """Give the addresses of `host` to connect to, best first, each one once, at least one.

    They are the first `MOST_ADDRESSES` of IPv6 and of IPv4, since one of the two may lead nowhere.
    An IP address goes the same way, without a resolver. One address that `policy` does not allow
    shuts the gate for all: who answers for the name could otherwise choose the moment.

    Raises `RelayNotFoundError`, `NameLookupError` or `DestinationForbiddenError`.
    """
    found = [host] if _is_literal(host) else await resolver.resolve(host)
    addresses = dict.fromkeys(_plain(_read(text)) for text in found)
    if not addresses:
        raise RelayNotFoundError
    if not all(policy.allows(address, port) for address in addresses):
        raise DestinationForbiddenError
    first = {
        address
        for version in (4, 6)
        for address in [one for one in addresses if one.version == version][:MOST_ADDRESSES]
    }
    return [str(address) for address in addresses if address in first]


def reached(address: Address) -> list[Address]:
    """Give the addresses that a packet to `address` may end at.

    IPv4-mapped (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056) and Teredo (RFC 4380) addresses
    carry one or two IPv4 addresses inside.
    """
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [IPv4Address(address.packed[12:])]
    if address.sixtofour is not None:
        return [address.sixtofour]
    return list(address.teredo or [address])


def is_public(address: Address) -> bool:
    """Say whether nothing that a packet to `address` may end at is on a network of one's own."""
    return all(map(_is_public, reached(address)))


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _read(text: str) -> Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise NameLookupError from error
    # A zone names an interface of this machine; no relay is found by it.
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise DestinationForbiddenError
    return address


def _plain(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not _within(address, _NOT_PUBLIC_4)
    return address in _GLOBAL_UNICAST and not _within(address, _NOT_PUBLIC_6)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
