from ipaddress import ip_network

import pytest

from smarthost.relay_check.suggestions.domains import may_be_asked
from smarthost.smtp.egress import Policy

PUBLIC = Policy("public")
ANY = Policy("any")
OWN = Policy((ip_network("10.0.0.0/8"),))


@pytest.mark.parametrize("domain", ["example.com", "xn--bcher-kva.example", "local.example.com"])
def test_a_domain_of_the_internet_may_be_asked(domain: str) -> None:
    assert all(may_be_asked(domain, policy) for policy in (PUBLIC, ANY, OWN))


@pytest.mark.parametrize(
    "domain", ["mail", "corp.local", "a.internal", "a.home.arpa", "box.lan", "a.test", "b.corp"]
)
def test_one_of_a_network_of_ones_own_may_be_asked_where_relays_may_be_there(domain: str) -> None:
    assert not may_be_asked(domain, PUBLIC)
    assert may_be_asked(domain, ANY)
    assert may_be_asked(domain, OWN)


@pytest.mark.parametrize(
    "domain",
    ["localhost", "a.localhost", "a.invalid", "a.onion", "[192.0.2.1]", "[IPv6:2001:db8::1]"],
)
def test_what_is_nowhere_is_never_asked_about(domain: str) -> None:
    assert not any(may_be_asked(domain, policy) for policy in (PUBLIC, ANY, OWN))
