import asyncio
import gzip
import ssl
import time
from ipaddress import ip_network

import pytest
import trustme

from smarthost.relay_check.suggestions.model import Confidence
from smarthost.smtp.egress import Policy
from tests.http_servers import (
    Answering,
    Received,
    dribble,
    hang_up,
    http_server,
    say_nothing,
    status,
)
from tests.names import Names
from tests.relay_check.suggestions.web_servers import DOMAIN, NOT_FOUND, config, page, web

LOOPBACK = Names(["127.0.0.1"])
PLACES = {
    f"autoconfig.{DOMAIN}": "GET /mail/config-v1.1.xml HTTP/1.1",
    DOMAIN: "GET /.well-known/autoconfig/mail/config-v1.1.xml HTTP/1.1",
}


def host_of(request: Received) -> str:
    return request.headers["host"].partition(":")[0]


async def test_both_places_are_asked_and_told_the_domain_alone(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async with web(shown, config("mail.example.com")) as running:
        (found,) = await running.ask(authority, LOOPBACK).ask(DOMAIN)
    assert found.place == ("mail.example.com", 587, True)
    assert found.confidence is Confidence.MEDIUM
    received = running.encrypted.received
    assert {host_of(one): one.line for one in received} == PLACES
    assert not any("@" in str(one) or "%40" in str(one) for one in received)
    assert running.clear.connections == 0


async def test_the_first_place_counts_before_the_second(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async def by_name(request: Received, writer: asyncio.StreamWriter) -> None:
        host = "first" if host_of(request).startswith("autoconfig.") else "second"
        writer.write(config(f"{host}.example.com"))

    async with web(shown, by_name) as running:
        (found,) = await running.ask(authority, LOOPBACK).ask(DOMAIN)
    assert found.host == "first.example.com"


async def test_the_second_place_counts_where_the_first_has_nothing(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async def by_name(request: Received, writer: asyncio.StreamWriter) -> None:
        there = host_of(request) == DOMAIN
        writer.write(config("mail.example.com") if there else NOT_FOUND)

    async with web(shown, by_name) as running:
        (found,) = await running.ask(authority, LOOPBACK).ask(DOMAIN)
    assert found.host == "mail.example.com"


async def test_without_tls_is_asked_last_and_relied_on_the_least(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async with web(shown, NOT_FOUND, config("mail.example.com")) as running:
        (found,) = await running.ask(authority, LOOPBACK).ask(DOMAIN)
    assert (found.host, found.confidence) == ("mail.example.com", Confidence.LOW)
    assert len(running.encrypted.received) == 2


async def test_a_redirect_from_clear_text_to_tls_is_followed(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async with http_server(config("mail.example.com"), tls=shown) as elsewhere:
        to = status("302 Found", f"Location: https://www.{DOMAIN}:{elsewhere.port}/c.xml")
        async with web(shown, NOT_FOUND, to) as running:
            (found,) = await running.ask(authority, LOOPBACK).ask(DOMAIN)
    assert (found.host, found.confidence) == ("mail.example.com", Confidence.LOW)


async def test_a_redirect_to_a_private_address_is_not_followed(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    class Inside:
        async def resolve(self, host: str) -> list[str]:
            return ["127.0.0.2" if host == "inside.example.com" else "127.0.0.1"]

    outside = Policy((ip_network("127.0.0.1/32"),))
    async with http_server(config("mail.example.com"), tls=shown, host="127.0.0.2") as inside:
        to = status("302 Found", f"Location: https://inside.example.com:{inside.port}/")
        async with web(shown, to, to) as running:
            asking = running.ask(authority, Inside(), policy=outside)
            assert await asking.ask(DOMAIN) == []
            assert len(running.encrypted.received) == 2
            # Who is allowed everything does follow it.
            assert await running.ask(authority, Inside()).ask(DOMAIN) != []
    assert inside.connections == 2


async def test_a_loop_of_redirects_ends(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    async with web(shown, status("301 Moved", "Location: /again")) as running:
        assert await running.ask(authority, LOOPBACK).ask(DOMAIN) == []
    assert len(running.encrypted.received) == 2 * 4


BOMB = gzip.compress(b" " * 10_000_000)


@pytest.mark.parametrize(
    "answer",
    [
        hang_up,
        page(b"<html>Nothing here</html>"),
        page(b"<!DOCTYPE html><html>Nothing here</html>"),
        page(b""),
        page(b"<clientConfig>" + b" " * 10_000_000 + b"</clientConfig>"),
        page(b"<a>" * 10_000),
        page(BOMB).replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1),
        status("500 No"),
        config("mail.example.com").replace(b"200 OK", b"203 Elsewhere"),
        b"220 mail.example.com ESMTP\r\n\r\n",
    ],
    ids=range(10),
)
async def test_what_is_no_description_is_none(
    authority: trustme.CA, shown: ssl.SSLContext, answer: bytes | Answering
) -> None:
    async with web(shown, answer, answer) as running:
        assert await running.ask(authority, LOOPBACK).ask(DOMAIN) == []


@pytest.mark.parametrize("answer", [say_nothing, dribble], ids=["silent", "dribbling"])
async def test_a_slow_server_has_its_time_and_no_more(
    authority: trustme.CA, shown: ssl.SSLContext, answer: Answering
) -> None:
    async with web(shown, answer, config("mail.example.com")) as running:
        began = time.monotonic()
        (found,) = await running.ask(authority, LOOPBACK, seconds=0.4).ask(DOMAIN)
        assert time.monotonic() - began < 3
    assert found.confidence is Confidence.LOW


async def test_a_certificate_of_somebody_else_is_no_answer(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async with web(shown, config("mail.example.com")) as running:
        assert await running.ask(trustme.CA(), LOOPBACK).ask(DOMAIN) == []
        assert await running.ask(authority, LOOPBACK).ask("example.net") == []
    assert running.encrypted.received == []
    # Each of two places was asked with and without TLS.
    assert len(running.clear.received) == 4


async def test_a_domain_too_long_for_the_name_before_it_is_no_trouble(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    domain = ".".join(["a" * 62] * 4)
    async with web(shown) as running:
        assert await running.ask(authority, Names()).ask(domain) == []
