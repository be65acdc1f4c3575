from collections.abc import Callable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.config import ListenAddress
from smarthost.config.database_url import parse_database
from smarthost.config.faults import InvalidValueError, shown
from smarthost.config.values import (
    parse_domain,
    parse_email,
    parse_helo_name,
    parse_keeping,
    parse_lifetime,
    parse_listen,
    parse_log_format,
    parse_log_level,
    parse_networks,
    parse_relay_networks,
    parse_retry_wait,
    parse_switch,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8025", "127.0.0.1", 8025),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("localhost:0", "localhost", 0),
        ("[::1]:8025", "::1", 8025),
        ("[::]:65535", "::", 65535),
        ("Box.Example.com:1", "box.example.com", 1),
    ],
)
def test_a_listen_address_is_host_and_port(text: str, host: str, port: int) -> None:
    assert parse_listen(text) == ListenAddress(host=host, port=port)


@pytest.mark.parametrize(
    ("host", "reached_at"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("::1", "::1"),
        ("192.0.2.1", "192.0.2.1"),
        ("localhost", "localhost"),
    ],
)
def test_an_address_that_means_all_is_reached_at_the_loopback(host: str, reached_at: str) -> None:
    assert ListenAddress(host=host, port=0).reached_at == reached_at


@pytest.mark.parametrize(
    "text",
    [
        "8025",
        ":8025",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:http",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1:1_0",
        "127.0.0.1:000001",
        "127.0.0.1:\u0661",
        "127.0.0.1: 25",
        "::1:8025",
        "::1",
        "[::1]",
        "[::1]8025",
        "[::1",
        "[]:8025",
        "[127.0.0.1]:8025",
        "http://127.0.0.1:8025",
        "127.1:8025",
        "a b:8025",
        "unix:/run/x",
    ],
)
def test_anything_else_is_no_listen_address(text: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_listen(text)


def test_an_address_and_a_domain_come_in_their_canonical_form() -> None:
    assert parse_email("admin@BÜCHER.example") == "admin@xn--bcher-kva.example"
    assert parse_domain("Portale.BÜCHER.example.") == "portale.xn--bcher-kva.example"
    assert parse_domain("localhost") == "localhost"
    assert parse_helo_name("Out.Example.com.") == "out.example.com"


def test_an_address_that_is_none_is_explained() -> None:
    with pytest.raises(InvalidValueError, match="name"):
        parse_email("Admin <admin@example.com>")


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "::1", "a_b.example.com", "*.example.com", ".example.com", "a..b", "a b"]
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_domain(text)


@pytest.mark.parametrize(
    "text",
    [
        "localhost",
        "LOCALHOST.",
        "localhost.localdomain",
        "mail.localhost",
        "mail",
        "192.0.2.1",
        "[192.0.2.1]",
        "2001:db8::1",
        "a_b.example.com",
        "1.0.0.127.in-addr.arpa",
        "mail.example.com:25",
    ],
)
def test_what_no_relay_can_look_up_is_no_helo_name(text: str) -> None:
    with pytest.raises(InvalidValueError):
        parse_helo_name(text)


def test_networks_are_a_list_with_commas() -> None:
    assert parse_networks("10.0.0.0/8 , 2001:db8::/32,192.0.2.1") == (
        ip_network("10.0.0.0/8"),
        ip_network("2001:db8::/32"),
        ip_network("192.0.2.1/32"),
    )


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("::ffff:10.0.0.10/128", "10.0.0.10/32"),
        ("::ffff:10.0.0.10", "10.0.0.10/32"),
        ("::ffff:a00:0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:255.255.255.255", "255.255.255.255/32"),
        ("::/0", "::/0"),
        ("::fffe:0:0/95", "::fffe:0:0/95"),
        ("::fffe:0:0/96", "::fffe:0:0/96"),
    ],
)
def test_ipv4_in_the_form_of_ipv6_is_ipv4(text: str, network: str) -> None:
    assert parse_networks(text) == (ip_network(network),)
    assert parse_relay_networks(text) == (ip_network(network),)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("10.0.0.1/8", "Write 10.0.0.0/8 for the network, or 10.0.0.1 for the one address"),
        ("2001:db8::1/32", "Write 2001:db8::/32 for the network"),
    ],
)
def test_host_bits_in_a_network_are_refused_with_the_network(text: str, advice: str) -> None:
    with pytest.raises(InvalidValueError, match=advice):
        parse_networks(text)


@pytest.mark.parametrize(
    "text", ["10.0.0.0/33", "10/8", "proxy", "10.0.0.0/8,", ",", "fe80::%eth0/64", "10.0.0.0/8/8"]
)
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match="is not a network"):
        parse_networks(text)


def test_every_wrong_network_is_named() -> None:
    with pytest.raises(InvalidValueError) as caught:
        parse_networks("one, 10.0.0.0/8, two")
    assert len(caught.value.messages) == 2


def test_relays_may_be_anywhere_at_public_addresses_or_in_networks() -> None:
    assert parse_relay_networks("any") == "any"
    assert parse_relay_networks("public") == "public"
    assert parse_relay_networks("10.0.0.0/8") == (ip_network("10.0.0.0/8"),)
    with pytest.raises(InvalidValueError) as caught:
        parse_relay_networks("all, 10.0.0.0/8")
    assert [message[:5] for message in caught.value.messages] == ["“all”", "any a"]


def test_choices_are_exact_and_the_message_lists_them() -> None:
    assert (parse_switch("on"), parse_switch("off")) == (True, False)
    assert parse_log_format("json") == "json"
    assert parse_log_level("warning") == "warning"
    with pytest.raises(InvalidValueError, match="“true” is not on or off"):
        parse_switch("true")
    with pytest.raises(InvalidValueError, match="“xml” is not console or json"):
        parse_log_format("xml")
    with pytest.raises(InvalidValueError, match="“INFO” is not debug, info, warning or error"):
        parse_log_level("INFO")


def test_what_is_shown_is_short_and_printable() -> None:
    assert shown("a\nb\x1b[0m") == "a?b?[0m"
    assert shown("x" * 60) == "x" * 60
    assert shown("x" * 61) == "x" * 60 + "…"


PARSERS: tuple[Callable[[str], object], ...] = (
    parse_database,
    parse_domain,
    parse_email,
    parse_helo_name,
    parse_listen,
    parse_networks,
)


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.text(min_size=1) | st.text("0123456789.:/[]%,ab", min_size=1))
def test_a_parser_gives_a_value_or_a_short_fault_of_one_line(
    parse: Callable[[str], object], text: str
) -> None:
    messages: tuple[str, ...] = ("",)
    try:
        parse(text)
    except InvalidValueError as error:
        messages = error.messages
    assert messages
    assert all(message.isprintable() and len(message) < 400 for message in messages)


@pytest.mark.parametrize(
    ("parse", "lowest", "highest"),
    [
        (parse_retry_wait, 1, 14_400),
        (parse_lifetime, 60, 31_536_000),
        (parse_keeping, 0, 315_360_000),
    ],
)
def test_a_time_is_a_number_of_seconds_within_bounds(
    parse: Callable[[str], int], lowest: int, highest: int
) -> None:
    assert (parse(str(lowest)), parse(str(highest))) == (lowest, highest)
    wrong = ("5m", "-1", "1.5", "1e3", "\u0661", "1_0", "9" * 100_000)
    for text in (str(lowest - 1), str(highest + 1), *wrong):
        with pytest.raises(InvalidValueError, match=f"seconds from {lowest} to {highest}"):
            parse(text)
