"""Domain names and IP addresses where the two callers differ."""

import pytest

from smarthost.mail.domain import DomainError, ends_in_number, ipv4, ipv6, to_a_labels


def test_an_underscore_is_taken_only_where_it_is_asked_for() -> None:
    assert to_a_labels("a_b.example", underscore=True) == "a_b.example"
    with pytest.raises(DomainError, match='contains "_"'):
        to_a_labels("a_b.example")


def test_an_underscore_beside_a_letter_beyond_ascii_is_refused() -> None:
    with pytest.raises(DomainError, match='contains "_"'):
        to_a_labels("ä_b.example", underscore=True)


@pytest.mark.parametrize("name", ["1", "a.1", "1.2.3.4", "a.0x", "a.0x1f", "0xff"])
def test_a_name_that_could_be_read_as_an_ip_address_is_told(name: str) -> None:
    assert ends_in_number(name)


@pytest.mark.parametrize("name", ["a", "1.a", "0x1.a", "1a", "a.0y", "a.0xg", "a.x0"])
def test_a_name_that_ends_in_letters_is_no_number(name: str) -> None:
    assert not ends_in_number(name)


@pytest.mark.parametrize("text", ["", "1.2.3.4/24", "1.2.3.4 ", "\uff11.2.3.4", "1.2.3.04"])
def test_ipv4_is_strict(text: str) -> None:
    with pytest.raises(DomainError):
        ipv4(text)


@pytest.mark.parametrize("text", ["", "::/64", "::1 ", "::1%0", "::ffff:1.2.3.4"])
def test_ipv6_is_strict(text: str) -> None:
    with pytest.raises(DomainError):
        ipv6(text)
