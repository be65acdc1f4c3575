"""The outbound gate: what a name may lead to."""

import asyncio
import ipaddress
import itertools
import socket
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.smtp.egress import (
    LOOKUPS_AT_ONCE,
    PUBLIC_PORTS,
    DestinationForbiddenError,
    NameLookupError,
    Policy,
    RelayNotFoundError,
    SystemResolver,
    destinations,
    reached,
)
from tests.smtp.relays import until

ANY = Policy("any")
PUBLIC = Policy("public")
LAN = Policy((ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8")))

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "100::1",
    "64:ff9b:1::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = [
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "198.17.255.255",
    "223.255.255.255",
    "2606:4700::1",
    "2a00:1450::1",
    "2001:4860::8888",
]


class Resolver:
    """Gives these answers, one a question, and counts them."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[str] = []
        self._answers = itertools.cycle(answers)

    async def resolve(self, host: str) -> list[str]:
        self.asked.append(host)
        return list(next(self._answers))


def gate(host: str, policy: Policy, *found: str, port: int = 587) -> list[str]:
    return asyncio.run(destinations(host, policy, Resolver(found), port=port))


def shapes(address: str) -> list[str]:
    """Give an IPv4 address in each of the shapes that carry one inside IPv6."""
    inner = int(ipaddress.IPv4Address(address))
    teredo_server = int(ipaddress.IPv4Address("8.8.8.8"))
    return [
        str(ipaddress.IPv6Address(number))
        for number in (
            (0xFFFF << 32) | inner,
            (0x64FF9B << 96) | inner,
            (0x2002 << 112) | (inner << 80) | 1,
            (0x20010000 << 96) | (teredo_server << 64) | (inner ^ 0xFFFFFFFF),
            (0x20010000 << 96) | (inner << 64) | (teredo_server ^ 0xFFFFFFFF),
        )
    ]


@pytest.mark.parametrize("address", INSIDE)
def test_public_keeps_out_what_is_not(address: str) -> None:
    with pytest.raises(DestinationForbiddenError):
        gate("relay.example.com", PUBLIC, address)
    with pytest.raises(DestinationForbiddenError):
        gate(address, PUBLIC)


@pytest.mark.parametrize("address", OUTSIDE)
def test_public_lets_public_addresses_pass(address: str) -> None:
    assert gate("relay.example.com", PUBLIC, address) == [address]
    assert gate(address, PUBLIC) == [address]


@pytest.mark.parametrize("address", [one for one in INSIDE if "." in one])
def test_an_address_inside_another_is_what_counts(address: str) -> None:
    for shape in shapes(address):
        with pytest.raises(DestinationForbiddenError):
            gate("relay.example.com", PUBLIC, shape)


def test_a_mapped_address_is_connected_to_as_what_it_is() -> None:
    assert gate("relay.example.com", PUBLIC, "::ffff:8.8.8.8", "8.8.8.8") == ["8.8.8.8"]
    assert gate("::ffff:127.0.0.1", ANY) == ["127.0.0.1"]


def test_one_forbidden_address_shuts_the_gate() -> None:
    for found in itertools.permutations(("8.8.8.8", "2606:4700::1", "127.0.0.1")):
        with pytest.raises(DestinationForbiddenError):
            gate("relay.example.com", PUBLIC, *found)


def test_addresses_keep_their_order_and_come_once() -> None:
    found = gate("relay.example.com", PUBLIC, "8.8.8.8", "2606:4700:0::1", "8.8.8.8", "1.1.1.1")
    assert found == ["8.8.8.8", "2606:4700::1", "1.1.1.1"]


@pytest.mark.parametrize("policy", [ANY, PUBLIC, LAN])
def test_an_address_with_a_zone_is_forbidden(policy: Policy) -> None:
    for address in ("fe80::1%eth0", "fd00::1%1"):
        with pytest.raises(DestinationForbiddenError):
            gate("relay.example.com", policy, address)
        with pytest.raises(DestinationForbiddenError):
            gate(address, policy)


@pytest.mark.parametrize("address", [*INSIDE, *OUTSIDE])
def test_any_is_any(address: str) -> None:
    assert gate("relay.example.com", ANY, address, port=1) == [address]


@pytest.mark.parametrize("address", ["10.1.0.1", "fd00::25"])
def test_a_network_that_the_operator_named_is_allowed_at_any_port(address: str) -> None:
    assert gate("relay.example.com", LAN, address, port=8025) == [address]


@pytest.mark.parametrize("address", ["10.2.0.1", "8.8.8.8", "127.0.0.1", "fe80::1", "2606::1"])
def test_what_the_operator_did_not_name_is_not(address: str) -> None:
    with pytest.raises(DestinationForbiddenError):
        gate("relay.example.com", LAN, address)


def test_public_keeps_to_the_ports_of_mail() -> None:
    allowed = set()
    for port in range(1, 65536):
        if PUBLIC.allows(ipaddress.ip_address("8.8.8.8"), port):
            allowed.add(port)
    assert allowed == PUBLIC_PORTS == {25, 465, 587, 2465, 2525}


def test_no_address_is_not_found() -> None:
    with pytest.raises(RelayNotFoundError):
        gate("relay.example.com", ANY)


def test_of_a_name_with_many_addresses_the_first_of_either_kind_are_connected_to() -> None:
    four = [f"8.8.{number >> 8}.{number & 255}" for number in range(1000)]
    six = [f"2a00:1450::{number:x}" for number in range(1, 1000)]
    assert gate("relay.example.com", PUBLIC, *six, *four) == [*six[:8], *four[:8]]
    # Not one of all that there are may lead inside.
    with pytest.raises(DestinationForbiddenError):
        gate("relay.example.com", PUBLIC, *six, *four, "127.0.0.1")


def test_an_answer_that_is_no_address_is_trouble_with_the_lookup() -> None:
    with pytest.raises(NameLookupError):
        gate("relay.example.com", ANY, "not an address")


async def test_a_name_is_resolved_once_and_the_answer_is_what_counts() -> None:
    resolver = Resolver(["8.8.8.8"], ["127.0.0.1"])
    assert await destinations("a.example", PUBLIC, resolver, port=25) == ["8.8.8.8"]
    with pytest.raises(DestinationForbiddenError):
        await destinations("a.example", PUBLIC, resolver, port=25)
    assert resolver.asked == ["a.example", "a.example"]


async def test_an_ip_address_is_not_resolved() -> None:
    resolver = Resolver(["8.8.8.8"])
    with pytest.raises(DestinationForbiddenError):
        await destinations("127.0.0.1", PUBLIC, resolver, port=25)
    assert not resolver.asked


# Spellings that getaddrinfo takes for 127.0.0.1 or for all interfaces.
@pytest.mark.parametrize(
    "host", ["127.1", "0177.0.0.1", "0x7f.1", "2130706433", "0", "localhost", "localhost."]
)
async def test_no_spelling_of_loopback_gets_through(host: str) -> None:
    with pytest.raises((DestinationForbiddenError, RelayNotFoundError)):
        await destinations(host, PUBLIC, SystemResolver(), port=25)


async def test_the_machine_knows_localhost() -> None:
    found = await destinations("localhost", ANY, SystemResolver(), port=25)
    assert set(found) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", "\ud800", "a\0b"])
async def test_a_name_that_cannot_be_asked_for_is_a_lookup_that_failed(host: str) -> None:
    with pytest.raises((NameLookupError, RelayNotFoundError)):
        await SystemResolver().resolve(host)


class Lookups:
    """Name servers of which some are slow: they answer when they are told to."""

    def __init__(self, *slow: str) -> None:
        self.asked: list[str] = []
        self.answer = threading.Event()
        self._slow = slow

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        if host in self._slow:
            self.answer.wait(10)
        return ["192.0.2.1"]


async def test_slow_name_servers_hold_up_no_other_name() -> None:
    lookups = Lookups("slow.example")
    resolver = SystemResolver(lookups)
    # As many attempts as there is room for, all at the slow relay.
    waiting = [
        asyncio.create_task(resolver.resolve("slow.example")) for _ in range(LOOKUPS_AT_ONCE)
    ]
    try:
        async with asyncio.timeout(5):
            assert await resolver.resolve("quick.example") == ["192.0.2.1"]
    finally:
        lookups.answer.set()
    assert await asyncio.gather(*waiting) == [["192.0.2.1"]] * LOOKUPS_AT_ONCE
    assert sorted(lookups.asked) == ["quick.example", "slow.example"]


async def test_a_name_is_looked_up_anew_once_the_answer_has_come() -> None:
    lookups = Lookups()
    resolver = SystemResolver(lookups)
    for _ in range(2):
        await resolver.resolve("a.example")
    assert lookups.asked == ["a.example", "a.example"]


async def test_lookups_take_a_bounded_number_of_threads() -> None:
    names = [f"{number}.example" for number in range(LOOKUPS_AT_ONCE + 8)]
    lookups = Lookups(*names)
    resolver = SystemResolver(lookups)
    waiting = [asyncio.create_task(resolver.resolve(name)) for name in names]
    try:
        await until(lambda: len(lookups.asked) >= LOOKUPS_AT_ONCE)
        await asyncio.sleep(0.05)  # time for one too many
        assert len(lookups.asked) == LOOKUPS_AT_ONCE
    finally:
        lookups.answer.set()
    assert len(await asyncio.gather(*waiting)) == len(names)


async def test_who_gives_up_on_a_name_ends_the_wait_of_nobody_else() -> None:
    lookups = Lookups("slow.example")
    resolver = SystemResolver(lookups)
    patient = asyncio.create_task(resolver.resolve("slow.example"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await resolver.resolve("slow.example")
    lookups.answer.set()
    assert await patient == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(socket.EAI_NONAME, ""), RelayNotFoundError),
        (socket.gaierror(socket.EAI_NODATA, ""), RelayNotFoundError),
        (socket.gaierror(socket.EAI_AGAIN, ""), NameLookupError),
        (OSError("no more files"), NameLookupError),
    ],
)
async def test_an_unanswered_question_is_told_from_a_name_that_is_not_there(
    error: OSError, expected: type[Exception]
) -> None:
    def fail(host: str) -> list[str]:
        raise error

    with pytest.raises(expected):
        await SystemResolver(fail).resolve("a.example")


@given(st.ip_addresses(v=6))
def test_public_is_never_wider_than_the_address_itself(address: ipaddress.IPv6Address) -> None:
    if PUBLIC.allows(address, 25):
        assert not address.is_private
        assert not address.is_multicast
        assert not address.is_reserved or reached(address) != [address]


@given(st.ip_addresses(v=4))
def test_public_and_inside_are_told_apart_in_every_shape(address: ipaddress.IPv4Address) -> None:
    allowed = PUBLIC.allows(address, 25)
    if allowed:
        assert address.is_global
    for shape in shapes(str(address)):
        assert PUBLIC.allows(ipaddress.ip_address(shape), 25) == allowed
