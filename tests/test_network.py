import pytest

from smarthost.network import rate_key


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%2", "fe80::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_an_ipv6_address_counts_by_its_64(address: str, key: str) -> None:
    assert rate_key(address) == key


def test_what_is_no_address_has_no_key() -> None:
    with pytest.raises(ValueError, match=r"mail\.example"):
        rate_key("mail.example")
