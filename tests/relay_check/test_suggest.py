"""All sources together, against a name server and web servers on this machine."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_network

import pytest
import trustme

from smarthost.clock import SystemClock
from smarthost.providers import Providers
from smarthost.relay_check.suggest import MOST_OF_A_SOURCE, Ask, Suggest
from smarthost.relay_check.suggestions.model import Confidence, Found, Source, Suggestion
from smarthost.relay_check.suggestions.records import by_mail_exchangers, by_services
from smarthost.smtp.egress import NameLookupError, Policy, RelayNotFoundError
from tests.http_servers import Answering, say_nothing
from tests.name_server import NameServer, Trouble, Zone, name_server
from tests.relay_check.suggestions.asking import ask
from tests.relay_check.suggestions.conftest import authority, shown
from tests.relay_check.suggestions.web_servers import DOMAIN, NOT_FOUND, Web, config, web

__all__ = ["authority", "shown"]

ENCRYPTED = f"_submissions._tcp.{DOMAIN}"
UPGRADED = f"_submission._tcp.{DOMAIN}"
BUECHER = "xn--bcher-kva.example"
PUBLIC_ADDRESS = "192.0.43.8"
PRIVATE = {"10.1.2.3", "127.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"}


class Hosts:
    """Gives hosts their addresses: those of the domain's web servers, and of relays."""

    def __init__(self, **relays: list[str]) -> None:
        self.asked: list[str] = []
        self._relays = {name.replace("_", "."): found for name, found in relays.items()}

    async def resolve(self, host: str) -> list[str]:
        self.asked.append(host)
        if host.removeprefix("autoconfig.") in {DOMAIN, BUECHER}:
            return ["127.0.0.1"]
        return self._relays.get(host, [PUBLIC_ADDRESS])


class World:
    """A domain with all that can be asked about it."""

    def __init__(self, dns: NameServer, servers: Web, authority: trustme.CA) -> None:
        self.dns = dns
        self.web = servers
        self._authority = authority

    def suggest(
        self, hosts: Hosts | None = None, *, policy: Policy | None = None, seconds: float = 8.0
    ) -> Suggest:
        name_servers = ask(self.dns)
        asked: list[Ask] = [
            partial(by_services, name_servers),
            self.web.ask(self._authority, Hosts()).ask,
            partial(by_mail_exchangers, name_servers),
        ]
        return Suggest(
            asked,
            policy or Policy("public"),
            hosts or Hosts(),
            SystemClock(),
            deadline_seconds=seconds,
        )


@asynccontextmanager
async def world(
    authority: trustme.CA,
    shown: ssl.SSLContext,
    zone: Zone,
    page: bytes | Answering = NOT_FOUND,
    clear: bytes | Answering = NOT_FOUND,
) -> AsyncIterator[World]:
    with name_server(zone) as dns:
        async with web(shown, page, clear) as servers:
            yield World(dns, servers, authority)


def told(found: Sequence[Suggestion]) -> list[tuple[str, int, str, str]]:
    return [(one.host, one.port, one.source.value, one.confidence.value) for one in found]


async def test_each_source_has_its_say_and_the_likeliest_goes_first(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    zone = {
        ENCRYPTED: {"SRV": ["0 0 465 relay.example.net."]},
        UPGRADED: {"SRV": ["0 0 587 smtp.example.com."]},
        DOMAIN: {"MX": ["10 in1-smtp.messagingengine.com."]},
    }
    async with world(authority, shown, zone, config("mail.example.org")) as one:
        found = await one.suggest().of(DOMAIN, "anna")
    assert told(found) == [
        ("smtp.example.com", 587, "dns srv", "high"),
        ("relay.example.net", 465, "dns srv", "medium"),
        ("mail.example.org", 587, "autoconfig", "medium"),
        ("smtp.fastmail.com", 465, "mx", "medium"),
        ("smtp.fastmail.com", 587, "mx", "medium"),
    ]
    assert {one.user_name for one in found} == {"anna@example.com"}
    assert found[3].first
    assert found[3].provider == "Fastmail"


async def test_where_the_table_answers_nobody_is_asked(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    hosts = Hosts()
    async with world(authority, shown, {}) as one:
        found = await one.suggest(hosts).of("gmail.com", "anna")
        assert (one.dns.asked, one.web.encrypted.connections, hosts.asked) == ([], 0, [])
    assert told(found)[0] == ("smtp.gmail.com", 465, "provider table", "high")


async def test_one_relay_that_several_name_is_told_once_as_its_best_source_has_it(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    zone = {
        UPGRADED: {"SRV": ["0 0 587 mail.example.com."]},
        DOMAIN: {"MX": ["10 mail.example.com."]},
    }
    page = config("mail.example.com", user_name="%EMAILLOCALPART%")
    async with world(authority, shown, zone, page) as one:
        (found,) = await one.suggest().of(DOMAIN, "anna")
    assert told([found]) == [("mail.example.com", 587, "dns srv", "high")]
    # DNS does not say who logs in; the other source does.
    assert found.user_name == "anna"


async def test_a_known_host_is_told_with_what_its_provider_asks_for(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    page = config("smtp.gmail.com", 465, user_name="whoever")
    async with world(authority, shown, {}, page) as one:
        (found,) = await one.suggest().of(DOMAIN, "anna")
    gmail = next(one for one in Providers.load().all if one.id == "gmail")
    assert (found.provider, found.first, found.oauth2) == (gmail.name, gmail.first, True)
    assert found.user_name == "anna@example.com"
    assert (found.source, found.confidence) == (Source.AUTOCONFIG, Confidence.HIGH)


async def test_a_domain_of_other_letters_is_asked_about_in_a_labels(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    domain = BUECHER
    zone = {f"_submissions._tcp.{domain}": {"SRV": [f"0 0 465 mail.{domain}."]}}
    async with world(authority, shown, zone) as one:
        (found,) = await one.suggest().of(domain, "anna")
        assert {name for _, name, _ in one.dns.asked} == {
            domain,
            f"_submission._tcp.{domain}",
            f"_submissions._tcp.{domain}",
        }
    assert (found.host, found.user_name) == (f"mail.{domain}", f"anna@{domain}")


@pytest.mark.parametrize("address", sorted(PRIVATE))
async def test_a_relay_at_a_private_address_is_left_out(
    authority: trustme.CA, shown: ssl.SSLContext, address: str
) -> None:
    zone = {
        ENCRYPTED: {"SRV": ["0 0 465 inside.example.com.", "1 0 465 outside.example.com."]},
        UPGRADED: {"SRV": ["0 0 587 both.example.com."]},
    }
    hosts = Hosts(inside_example_com=[address], both_example_com=[PUBLIC_ADDRESS, address])
    async with world(authority, shown, zone, config("inside.example.com")) as one:
        found = await one.suggest(hosts).of(DOMAIN, "anna")
        assert [one.host for one in found] == ["outside.example.com"]
        everywhere = await one.suggest(hosts, policy=Policy("any")).of(DOMAIN, "anna")
    assert len(everywhere) == 4


async def test_a_network_that_the_operator_names_is_the_only_one(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    zone = {UPGRADED: {"SRV": ["0 0 587 inside.example.com.", "0 0 587 outside.example.com."]}}
    policy = Policy((ip_network("10.0.0.0/8"),))
    hosts = Hosts(inside_example_com=["10.1.2.3"])
    async with world(authority, shown, zone) as one:
        found = await one.suggest(hosts, policy=policy).of(DOMAIN, "anna")
    assert [one.host for one in found] == ["inside.example.com"]


@pytest.mark.parametrize("target", ["localhost.", "127.0.0.1.", ".", "2130706433.", "0x7f000001."])
async def test_a_record_that_names_this_machine_is_left_out(
    authority: trustme.CA, shown: ssl.SSLContext, target: str
) -> None:
    hosts = Hosts(localhost=["127.0.0.1"])
    async with world(authority, shown, {ENCRYPTED: {"SRV": [f"0 0 465 {target}"]}}) as one:
        assert await one.suggest(hosts).of(DOMAIN, "anna") == []


async def test_a_port_that_may_not_be_reached_is_left_out(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    zone = {UPGRADED: {"SRV": ["0 0 22 mail.example.com.", "0 0 2525 mail.example.com."]}}
    async with world(authority, shown, zone) as one:
        found = await one.suggest().of(DOMAIN, "anna")
    assert [one.port for one in found] == [2525]


@pytest.mark.parametrize("error", [RelayNotFoundError, NameLookupError])
async def test_a_host_that_has_no_address_is_left_out(
    authority: trustme.CA, shown: ssl.SSLContext, error: type[Exception]
) -> None:
    class Missing(Hosts):
        async def resolve(self, host: str) -> list[str]:
            if host == "gone.example.com":
                raise error
            return await super().resolve(host)

    zone = {UPGRADED: {"SRV": ["0 0 587 gone.example.com.", "1 0 587 here.example.com."]}}
    async with world(authority, shown, zone) as one:
        found = await one.suggest(Missing()).of(DOMAIN, "anna")
    assert [one.host for one in found] == ["here.example.com"]


async def test_of_what_a_source_names_a_few_are_looked_at(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    zone = {UPGRADED: {"SRV": [f"{at} 0 587 r{at}." for at in range(15)]}}
    hosts = Hosts()
    async with world(authority, shown, zone) as one:
        found = await one.suggest(hosts).of(DOMAIN, "anna")
    assert [one.host for one in found] == [f"r{at}" for at in range(MOST_OF_A_SOURCE)]
    assert len(hosts.asked) == MOST_OF_A_SOURCE


async def test_what_was_found_in_time_counts(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    """The web servers say nothing, one name is not answered, and one host is not looked up."""

    class Slow(Hosts):
        async def resolve(self, host: str) -> list[str]:
            if host == "slow.example.com":
                await asyncio.sleep(30)
            return await super().resolve(host)

    zone: Zone = {
        ENCRYPTED: {"SRV": ["0 0 465 mail.example.com.", "1 0 465 slow.example.com."]},
        UPGRADED: {"SRV": ["0 0 587 mail.example.com."]},
        DOMAIN: Trouble.SILENCE,
    }
    async with world(authority, shown, zone, say_nothing) as one:
        began = time.monotonic()
        found = await one.suggest(Slow(), seconds=0.5).of(DOMAIN, "anna")
        assert 0.4 < time.monotonic() - began < 4
    assert [(one.host, one.port) for one in found] == [
        ("mail.example.com", 465),
        ("mail.example.com", 587),
    ]


async def test_a_domain_that_is_not_there_has_no_suggestions(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async with world(authority, shown, {}) as one:
        assert await one.suggest().of(DOMAIN, "anna") == []


async def test_the_second_time_nobody_is_asked(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    zone = {UPGRADED: {"SRV": ["0 0 587 mail.example.com."]}}
    async with world(authority, shown, zone) as one:
        suggest = one.suggest()
        anna, bert = await suggest.of(DOMAIN, "anna"), await suggest.of(DOMAIN, "bert")
        assert len(one.dns.asked) == 3
    assert [one.user_name for one in (*anna, *bert)] == ["anna@example.com", "bert@example.com"]


@pytest.mark.parametrize("domain", ["mail", "corp.internal", "localhost", "[192.0.2.1]"])
async def test_a_network_of_ones_own_is_not_asked_about(
    authority: trustme.CA, shown: ssl.SSLContext, domain: str
) -> None:
    hosts = Hosts()
    async with world(authority, shown, {}) as one:
        assert await one.suggest(hosts).of(domain, "anna") == []
        assert (one.dns.asked, one.web.clear.connections, hosts.asked) == ([], 0, [])


async def test_of_a_domain_alone_the_user_name_is_left_open(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    zone = {UPGRADED: {"SRV": ["0 0 587 mail.example.com."]}}
    async with world(authority, shown, zone) as one:
        (found,) = await one.suggest().of(DOMAIN)
    assert (found.enable_auth, found.user_name) == (True, None)


async def test_a_fault_of_our_own_is_not_hidden() -> None:
    async def broken(_domain: str) -> list[Found]:
        raise ZeroDivisionError

    suggest = Suggest([broken], Policy("any"), Hosts(), SystemClock())
    with pytest.raises(ZeroDivisionError):
        await suggest.of(DOMAIN, "anna")
