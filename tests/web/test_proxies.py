from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smarthost.network import rate_key
from smarthost.web.proxies import Client, Networks, forwarded

NONE: Networks = ()
PROXIES: Networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"))


def ask(peer: str, trusted: Networks = PROXIES, **headers: str | list[str]) -> Client:
    pairs = [(b"host", b"mail.example")]
    for name, values in headers.items():
        key = name.replace("_", "-").encode()
        each = [values] if isinstance(values, str) else values
        pairs += [(key, value.encode("latin-1")) for value in each]
    return forwarded(peer=peer, scheme="http", headers=pairs, trusted=trusted)


def test_without_trusted_networks_nothing_forwarded_is_believed() -> None:
    client = ask(
        "10.0.0.1",
        NONE,
        x_forwarded_for="198.51.100.7",
        x_forwarded_proto="https",
        x_forwarded_host="other.example",
    )
    assert client == Client(
        address="10.0.0.1", scheme="http", host="mail.example", disbelieved=True
    )


def test_a_stranger_is_not_believed() -> None:
    client = ask(
        "203.0.113.9",
        x_forwarded_for="10.0.0.1",
        x_forwarded_proto="https",
        x_forwarded_host="other.example",
    )
    assert client == Client(
        address="203.0.113.9", scheme="http", host="mail.example", disbelieved=True
    )


def test_a_trusted_proxy_is_believed() -> None:
    client = ask(
        "10.0.0.1",
        x_forwarded_for="198.51.100.7",
        x_forwarded_proto="https",
        x_forwarded_host="portal.example:8443",
    )
    assert client == Client(address="198.51.100.7", scheme="https", host="portal.example:8443")


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("198.51.100.7, 10.0.0.2", "198.51.100.7"),
        # The leftmost is what the client itself claimed.
        ("127.0.0.1, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (["198.51.100.7", "10.0.0.2"], "198.51.100.7"),
        ("198.51.100.7, unknown, 10.0.0.2", "10.0.0.2"),
        ("198.51.100.7, , 10.0.0.2", "10.0.0.2"),
        ("198.51.100.7,", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("198.51.100.7:4711", "198.51.100.7"),
        ("[2001:db8::5]:4711", "2001:db8::5"),
        ("2001:DB8::5", "2001:db8::5"),
        ("198.51.100.7, 2001:db8:1::1", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("198.51.100.7, ::ffff:10.0.0.2", "198.51.100.7"),
        ("fe80::1%eth0", "10.0.0.1"),
        ("198.51.100.07", "10.0.0.1"),
        ("localhost", "10.0.0.1"),
        ("198.51.100.7\xa0", "198.51.100.7"),
    ],
)
def test_x_forwarded_for_is_walked_from_the_right_while_hops_are_trusted(
    value: str | list[str], address: str
) -> None:
    assert ask("10.0.0.1", x_forwarded_for=value).address == address


@pytest.mark.parametrize(
    ("value", "scheme"),
    [
        ("https", "https"),
        ("HTTPS", "https"),
        ("https, http", "http"),
        (["http", "https"], "https"),
        ("wss", "http"),
        ("https,", "http"),
    ],
)
def test_the_last_scheme_counts_and_an_odd_one_is_ignored(
    value: str | list[str], scheme: str
) -> None:
    assert ask("10.0.0.1", x_forwarded_proto=value).scheme == scheme


def test_a_proxy_can_say_http_of_a_connection_that_is_https() -> None:
    headers = [(b"host", b"a"), (b"x-forwarded-proto", b"http")]
    client = forwarded(peer="10.0.0.1", scheme="https", headers=headers, trusted=PROXIES)
    assert client.scheme == "http"


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("a.example, b.example", "b.example"),
        ("[2001:db8::1]:8025", "[2001:db8::1]:8025"),
        ("a.example/path", "mail.example"),
        ("user@a.example", "mail.example"),
        ("a.example\x00", "mail.example"),
        ("", "mail.example"),
    ],
)
def test_the_last_host_counts_and_an_odd_one_is_ignored(value: str, host: str) -> None:
    assert ask("10.0.0.1", x_forwarded_host=value).host == host


def test_an_ipv4_mapped_peer_is_an_ipv4_peer() -> None:
    assert ask("::ffff:10.0.0.1", x_forwarded_for="198.51.100.7").address == "198.51.100.7"
    assert ask("::ffff:203.0.113.9", NONE).address == "203.0.113.9"
    assert ask("::FFFF:203.0.113.9").address == "203.0.113.9"


def test_a_request_without_host_has_an_empty_one() -> None:
    client = forwarded(peer="203.0.113.9", scheme="http", headers=[], trusted=NONE)
    assert client.host == ""


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_forwarded_text_breaks_it(text: str) -> None:
    client = ask("10.0.0.1", x_forwarded_for=text, x_forwarded_proto=text, x_forwarded_host=text)
    assert client.scheme in {"http", "https"}
    assert rate_key(client.address)


@pytest.mark.parametrize("name", ["x_forwarded_for", "x_forwarded_proto", "x_forwarded_host"])
@pytest.mark.parametrize("trusted", [NONE, PROXIES])
def test_who_claims_to_be_a_proxy_and_is_none_is_known_as_such(
    name: str, trusted: Networks
) -> None:
    assert ask("203.0.113.9", trusted, **{name: "x"}).disbelieved
    assert not ask("203.0.113.9", trusted, forwarded="for=x", via="x").disbelieved
    assert not ask("10.0.0.1", PROXIES, **{name: "x"}).disbelieved
