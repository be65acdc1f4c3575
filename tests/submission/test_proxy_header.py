from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.submission.proxy_header import (
    LONGEST,
    Address,
    ProxyHeaderError,
    header_size,
    told_address,
)
from tests.submission.proxied import SIGNATURE, block, line

PORTS = st.integers(0, 65_535)
SAME_FAMILY = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)),
    st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6)),
)
REAL = "192.0.2.7"


def taken(octets: bytes) -> tuple[Address | None, bytes]:
    """Take a header off the front as it comes, octet by octet; return what follows, too."""
    for length in range(len(octets) + 1):
        size = header_size(octets[:length])
        if size is not None and size <= length:
            assert size == length, "it was known too late, or has grown"
            return told_address(octets[:size]), octets[size:]
    raise AssertionError("There is no end.")


def counted_as(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@given(SAME_FAMILY, PORTS, PORTS, st.binary(max_size=50))
def test_a_line_tells_the_address_and_nothing_behind_it_is_taken(
    ends: tuple[Address, Address], port: int, own_port: int, behind: bytes
) -> None:
    header = line(str(ends[0]), str(ends[1]), port, own_port)
    assert taken(header + behind) == (counted_as(ends[0]), behind)


@given(SAME_FAMILY, st.binary(max_size=300), st.binary(max_size=50))
def test_a_block_tells_the_address_and_nothing_behind_it_is_taken(
    ends: tuple[Address, Address], more: bytes, behind: bytes
) -> None:
    header = block(str(ends[0]), str(ends[1]), more=more)
    assert taken(header + behind) == (counted_as(ends[0]), behind)


def test_the_examples_of_the_specification_are_understood() -> None:
    example = b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"
    assert taken(example)[0] == IPv4Address("255.255.255.255")
    widest = "ffff:f...f:ffff".replace("f...f", ":".join(["ffff"] * 6))
    assert taken(line(widest, widest, 65_535, 65_535))[0] == IPv6Address(widest)
    longest = f"PROXY UNKNOWN {widest} {widest} 65535 65535\r\n".encode()
    assert len(longest) == 107
    assert taken(longest) == (None, b"")


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN \xff what ever\r\n",
        SIGNATURE + b"\x20\x00\x00\x00",  # LOCAL
        SIGNATURE + b"\x20\x11\x00\x0c" + bytes(12),
        SIGNATURE + b"\x20\xff\x00\x01x",
        SIGNATURE + b"\x21\x00\x00\x00",  # an unknown protocol
        SIGNATURE + b"\x21\x00\x00\x03any",
        SIGNATURE + b"\x21\x31\x00\xd8" + bytes(216),  # a UNIX socket
    ],
)
def test_a_header_may_tell_no_address(header: bytes) -> None:
    assert taken(header + b"EHLO") == (None, b"EHLO")


def wrong_lines() -> Iterator[bytes]:
    good = ("PROXY", "TCP4", REAL, "192.0.2.8", "4711", "587")
    for at, others in {
        1: ("TCP6", "TCP", "tcp4", "UDP4", "", "UNKNOWNS"),
        2: ("192.0.2.300", "192.0.2.07", "2001:db8::1", "", "localhost", "192.0.2.7/32"),
        3: ("192.0.2", "::1", ""),
        4: ("65536", "-1", "+1", "04711", "", "x", "4711 ", "1" * 30, "²"),
        5: ("65536", "587 1", " 587", ""),
    }.items():
        for other in others:
            yield " ".join([*good[:at], other, *good[at + 1 :]]).encode("latin-1")
    yield " ".join(good[:-1]).encode()
    yield b"PROXY TCP6 fe80::1%eth0 fe80::2 4711 587"
    yield b"PROXY "


@pytest.mark.parametrize("written", list(wrong_lines()))
def test_a_line_that_is_not_as_it_should_be_is_refused(written: bytes) -> None:
    with pytest.raises(ProxyHeaderError, match=r"not written"):
        taken(written + b"\r\n")


@pytest.mark.parametrize(
    "octets",
    [
        b"\x00",
        b"proxy TCP4",
        b"PROXY\tTCP4",
        b"PROXY\r\n",
        b"EHLO app.example.com\r\n",
        b"\x16\x03\x01\x02\x00",  # the beginning of TLS
        b"\r\n\r\n\x00\r\nQUIT\r\n",
        b"\n" + SIGNATURE,
    ],
)
def test_what_begins_otherwise_is_refused_at_once(octets: bytes) -> None:
    with pytest.raises(ProxyHeaderError, match=r"something else"):
        taken(octets)


@pytest.mark.parametrize(
    "head",
    [
        b"\x11\x11\x00\x0c",  # version 1 in this form
        b"\x31\x11\x00\x0c",
        b"\x22\x11\x00\x0c",  # neither LOCAL nor PROXY
        b"\x21\x11\x00\x0b",  # no room for what it should hold
        b"\x21\x21\x00\x23",
        b"\x21\x12\x00\x0c",  # datagrams
        b"\x21\x41\x00\x0c",
        b"\x21\x1f\x00\x0c",
    ],
)
def test_a_block_that_is_not_as_it_should_be_is_refused(head: bytes) -> None:
    with pytest.raises(ProxyHeaderError, match=r"not written"):
        taken(SIGNATURE + head + bytes(256))


def test_a_line_has_an_end_within_its_bounds() -> None:
    assert header_size(b"PROXY " + b"x" * 99 + b"\r\n") == 107
    for octets in (b"PROXY " + b"x" * 101, b"PROXY " + b"x" * 100 + b"\r\n"):
        with pytest.raises(ProxyHeaderError, match="too long"):
            header_size(octets)
    # A CR or LF alone is no end.
    assert header_size(b"PROXY TCP4\rx\n") is None


def test_a_block_has_bounds_that_show_in_its_first_octets() -> None:
    assert header_size(SIGNATURE + b"\x21\x11\x10\x00") == LONGEST
    with pytest.raises(ProxyHeaderError, match="too long"):
        header_size(SIGNATURE + b"\x21\x11\x10\x01")


@given(
    st.one_of(st.binary(), st.binary().map(SIGNATURE.__add__), st.binary().map(b"PROXY ".__add__))
)
def test_any_octets_are_judged(octets: bytes) -> None:
    try:
        size = header_size(octets)
        if size is None or size > len(octets):
            return
        told = told_address(octets[:size])
    except ProxyHeaderError:
        return
    assert told is None or told == ip_address(str(told))
