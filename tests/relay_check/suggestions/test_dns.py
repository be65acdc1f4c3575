import time

import pytest
import uvloop
from dns.resolver import NoResolverConfiguration

from smarthost.relay_check.suggestions.dns import MOST_RECORDS, NameServers, Srv
from tests.name_server import Said, Trouble, Zone, name_server
from tests.relay_check.suggestions.asking import ask

SERVICE = "_submissions._tcp.example.com"


async def test_services_come_by_priority_and_then_by_weight() -> None:
    records = [
        "20 0 465 c.example.com.",
        "10 5 465 b.example.com.",
        "10 50 465 A.example.com.",
    ]
    with name_server({SERVICE: {"SRV": records}}) as server:
        found = await ask(server).services(SERVICE)
    assert found == [
        Srv(10, 50, 465, "a.example.com"),
        Srv(10, 5, 465, "b.example.com"),
        Srv(20, 0, 465, "c.example.com"),
    ]
    assert server.asked == [("udp", SERVICE, "SRV")]


async def test_exchangers_come_by_preference() -> None:
    records = ["20 b.example.net.", "10 A.example.net."]
    with name_server({"example.com": {"MX": records}}) as server:
        assert await ask(server).exchangers("example.com") == ["a.example.net", "b.example.net"]


async def test_the_root_is_a_name_for_nothing() -> None:
    zone = {SERVICE: {"SRV": ["0 0 0 ."]}, "example.com": {"MX": ["0 ."]}}
    with name_server(zone) as server:
        assert await ask(server).services(SERVICE) == [Srv(0, 0, 0, "")]
        assert await ask(server).exchangers("example.com") == []


async def test_an_alias_is_followed() -> None:
    other = "mail.example.net"
    zone = {"example.com": {"CNAME": [f"{other}."]}, other: {"MX": ["10 a.example.net."]}}
    with name_server(zone) as server:
        assert await ask(server).exchangers("example.com") == ["a.example.net"]


async def test_aliases_in_a_circle_are_no_answer() -> None:
    zone = {"example.com": {"CNAME": ["example.com."]}}
    with name_server(zone) as server:
        assert await ask(server, 0.5).exchangers("example.com") == []


@pytest.mark.parametrize("said", [Trouble.NXDOMAIN, Trouble.SERVFAIL, Trouble.REFUSED, {}])
async def test_no_answer_is_an_empty_one(said: Said) -> None:
    with name_server({SERVICE: said}) as server:
        assert await ask(server, 0.5).services(SERVICE) == []


async def test_a_silent_name_server_is_waited_for_so_long() -> None:
    with name_server({SERVICE: Trouble.SILENCE}) as server:
        began = time.monotonic()
        assert await ask(server, 0.3).services(SERVICE) == []
        assert time.monotonic() - began < 2


async def test_a_port_where_no_name_server_is() -> None:
    with name_server({}) as server:
        pass
    assert await ask(server, 0.3).services(SERVICE) == []


async def test_a_machine_without_name_servers() -> None:
    def none() -> None:
        raise NoResolverConfiguration

    asking = NameServers(none)  # type: ignore[arg-type]
    assert await asking.exchangers("example.com") == []


async def test_a_truncated_answer_is_asked_for_again_by_tcp() -> None:
    records = [f"{at} 0 465 relay-{at}.example.com." for at in range(60)]
    with name_server({SERVICE: {"SRV": records}}) as server:
        found = await ask(server).services(SERVICE)
    assert [by for by, *_ in server.asked] == ["udp", "tcp"]
    assert [one.priority for one in found] == list(range(MOST_RECORDS))


@pytest.mark.parametrize("count", [400, 2700])
async def test_of_an_answer_that_is_too_long_nothing_is_read(count: int) -> None:
    """2,700 SRV records are about all that DNS can carry; 10,000 have no room in 64 KiB."""
    records = [f"{at} 0 465 r{at % 7}." for at in range(count)]
    with name_server({SERVICE: {"SRV": records}}) as server:
        assert await ask(server, 1.0).services(SERVICE) == []
    assert server.asked[1] == ("tcp", SERVICE, "SRV")


def test_it_works_under_the_event_loop_that_the_service_has() -> None:
    async def both() -> list[list[str]]:
        records = [f"{at} relay-{at}.example.com." for at in range(60)]
        zone: Zone = {"example.com": {"MX": records}, "a.example": Trouble.SILENCE}
        with name_server(zone) as server:
            asked = (("example.com", 4.0), ("a.example", 0.2))
            return [await ask(server, seconds).exchangers(name) for name, seconds in asked]

    found, none = uvloop.run(both())
    assert (len(found), none) == (MOST_RECORDS, [])


async def test_a_name_too_long_for_dns_is_not_asked_about() -> None:
    with name_server({}) as server:
        assert await ask(server).exchangers(".".join(["a" * 63] * 4)) == []
    assert server.asked == []
