import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
import trustme

from smarthost.smtp.egress import NameLookupError, Policy, Resolver
from smarthost.webhooks.model import NoAnswerError, NotTaken
from smarthost.webhooks.post import LARGEST_ANSWER, Poster
from smarthost.webhooks.rules import PUBLIC_PORTS
from tests.authority import showing, trusting
from tests.http_servers import (
    HOST,
    NO_CONTENT,
    OK,
    Received,
    dribble,
    hang_up,
    http_server,
    say_nothing,
    status,
)
from tests.names import Names

HEADERS = [(b"webhook-id", b"0197a1b2")]
PAYLOAD = '{"subject":"Grüße"}'.encode()
LOOPBACK = ["127.0.0.1"]


@asynccontextmanager
async def poster(
    authority: trustme.CA,
    names: Resolver | None = None,
    *,
    policy: Policy | None = None,
    seconds: float = 5.0,
) -> AsyncIterator[Poster]:
    opened = Poster(
        policy or Policy("any"),
        names or Names(LOOPBACK),
        lambda: trusting(authority),
        at_once=4,
        deadline_seconds=seconds,
    )
    try:
        yield opened
    finally:
        await opened.close()


async def failing(opened: Poster, url: str) -> NotTaken:
    with pytest.raises(NoAnswerError) as caught:
        await opened.post(url, HEADERS, PAYLOAD)
    return caught.value.failure


async def test_an_event_arrives_as_it_is(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    async with http_server(NO_CONTENT, tls=shown) as running, poster(authority) as opened:
        assert await opened.post(running.url("/hook?a=b"), HEADERS, PAYLOAD) == 204
    (received,) = running.received
    assert received.line == "POST /hook?a=b HTTP/1.1"
    assert received.body == PAYLOAD
    assert received.headers == {
        "host": f"{HOST}:{running.port}",
        "user-agent": "Smarthost",
        "content-type": "application/json",
        "content-length": str(len(PAYLOAD)),
        "webhook-id": "0197a1b2",
    }


async def test_a_connection_is_used_again(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    async with http_server(tls=shown) as running, poster(authority) as opened:
        for _ in range(3):
            assert await opened.post(running.url(), HEADERS, PAYLOAD) == 200
    assert (running.connections, len(running.received)) == (1, 3)


async def test_the_certificate_is_that_of_the_name_in_the_url(authority: trustme.CA) -> None:
    other = showing(authority.issue_cert("other.example.com", "127.0.0.1"))
    async with http_server(tls=other) as running, poster(authority) as opened:
        assert await failing(opened, running.url()) is NotTaken.TLS_FAILED
    assert running.received == []


async def test_a_certificate_of_nobody_known_is_refused(shown: ssl.SSLContext) -> None:
    async with http_server(tls=shown) as running, poster(trustme.CA()) as opened:
        assert await failing(opened, running.url()) is NotTaken.TLS_FAILED
    assert running.received == []


async def test_a_server_without_tls_is_refused(authority: trustme.CA) -> None:
    async with http_server(tls=None) as running, poster(authority, seconds=1.0) as opened:
        assert await failing(opened, running.url()) in {
            NotTaken.TLS_FAILED,
            NotTaken.TIMED_OUT,
        }
    assert running.received == []


async def test_clear_text_goes_to_ones_own_network(authority: trustme.CA) -> None:
    async with http_server(tls=None) as running, poster(authority) as opened:
        assert await opened.post(running.url(scheme="http"), HEADERS, PAYLOAD) == 200


async def test_clear_text_goes_nowhere_else(authority: trustme.CA) -> None:
    names = Names(["192.0.43.8"])
    async with poster(authority, names) as opened:
        assert await failing(opened, f"http://{HOST}/") is NotTaken.FORBIDDEN


async def test_an_ipv6_receiver_is_named_in_brackets(authority: trustme.CA) -> None:
    tls = showing(authority.issue_cert("::1"))
    async with http_server(tls=tls, host="::1") as running, poster(authority) as opened:
        assert await opened.post(running.url(host="[::1]"), HEADERS, PAYLOAD) == 200
    assert running.received[0].headers["host"] == f"[::1]:{running.port}"


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["192.0.43.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["::1"]]
)
async def test_nothing_connects_to_what_the_operator_does_not_allow(
    authority: trustme.CA, shown: ssl.SSLContext, addresses: list[str]
) -> None:
    async with http_server(tls=shown) as running:
        policy = Policy("public", frozenset({running.port}))
        async with poster(authority, Names(addresses), policy=policy) as opened:
            assert await failing(opened, running.url()) is NotTaken.FORBIDDEN
    assert running.connections == 0


async def test_a_port_that_is_not_for_receivers_is_refused(authority: trustme.CA) -> None:
    policy = Policy("public", PUBLIC_PORTS)
    async with poster(authority, Names(["192.0.43.8"]), policy=policy) as opened:
        assert await failing(opened, f"https://{HOST}:22/") is NotTaken.FORBIDDEN


async def test_a_name_that_changes_its_mind_is_asked_once_a_connection(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    """DNS rebinding: what was checked is what is connected to; each look-up is checked."""
    allowed = Policy((ip_network("127.0.0.2/32"),))
    answers = (OK, status("500 No", "Connection: close"))
    names = Names(["127.0.0.2"], ["127.0.0.1"])
    async with (
        http_server(*answers, tls=shown, host="127.0.0.2") as running,
        poster(authority, names, policy=allowed) as opened,
    ):
        assert await opened.post(running.url(), HEADERS, PAYLOAD) == 200
        assert await opened.post(running.url(), HEADERS, PAYLOAD) == 500
        assert names.asked == [HOST]
        # The connection has ended, so the name is looked up again, and is inside now.
        assert await failing(opened, running.url()) is NotTaken.FORBIDDEN
    assert names.asked == [HOST, HOST]
    assert running.connections == 1


async def test_the_next_address_is_tried(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    async with (
        http_server(tls=shown) as running,
        poster(authority, Names(["127.0.0.3", "127.0.0.1"])) as opened,
    ):
        assert await opened.post(running.url(), HEADERS, PAYLOAD) == 200


async def test_a_redirect_is_not_followed(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    async with http_server(tls=None) as inside:
        to = f"Location: http://127.0.0.1:{inside.port}/"
        async with (
            http_server(status("302 Found", to), tls=shown) as running,
            poster(authority) as opened,
        ):
            assert await opened.post(running.url(), HEADERS, PAYLOAD) == 302
    assert inside.connections == 0


async def test_no_proxy_of_the_environment_comes_in_between(
    authority: trustme.CA, shown: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_server(tls=None) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with http_server(tls=shown) as running, poster(authority) as opened:
            assert await opened.post(running.url(), HEADERS, PAYLOAD) == 200
    assert proxy.connections == 0


async def test_a_receiver_has_its_time_and_no_more(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async with (
        http_server(say_nothing, tls=shown) as running,
        poster(authority, seconds=0.3) as opened,
    ):
        began = asyncio.get_running_loop().time()
        assert await failing(opened, running.url()) is NotTaken.TIMED_OUT
        assert asyncio.get_running_loop().time() - began < 3


async def test_a_body_that_never_ends_does_not_make_the_answer_unsaid(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async with (
        http_server(dribble, tls=shown) as running,
        poster(authority, seconds=0.3) as opened,
    ):
        assert await opened.post(running.url(), HEADERS, PAYLOAD) == 200


async def test_of_a_huge_body_little_is_read(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    sent = 0

    async def flood(_request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while sent < 1_000_000_000:
            writer.write(b"." * 65536)
            await writer.drain()
            sent += 65536

    async with http_server(flood, tls=shown) as running, poster(authority) as opened:
        assert await opened.post(running.url(), HEADERS, PAYLOAD) == 200
    # Besides what is read there is what the buffers of both sides hold.
    assert sent < LARGEST_ANSWER + 16 * 1024 * 1024


@pytest.mark.parametrize(
    "answer",
    [
        hang_up,
        b"SMTP/1.0 no\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
    ],
    ids=["none", "not HTTP", "endless header", "no status"],
)
async def test_what_is_no_answer_is_a_failure(
    authority: trustme.CA, shown: ssl.SSLContext, answer: bytes
) -> None:
    async with http_server(answer, tls=shown) as running, poster(authority) as opened:
        assert await failing(opened, running.url()) is NotTaken.BROKEN_OFF


async def test_a_port_where_nobody_listens(authority: trustme.CA) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        async with poster(authority) as opened:
            url = f"https://{HOST}:{taken.getsockname()[1]}/"
            assert await failing(opened, url) is NotTaken.UNREACHABLE


async def test_a_name_without_an_address(authority: trustme.CA) -> None:
    async with poster(authority, Names()) as opened:
        assert await failing(opened, f"https://{HOST}/") is NotTaken.NOT_FOUND


async def test_a_name_that_cannot_be_looked_up(authority: trustme.CA) -> None:
    class Broken:
        async def resolve(self, host: str) -> list[str]:
            raise NameLookupError(host)

    async with poster(authority, Broken()) as opened:
        assert await failing(opened, f"https://{HOST}/") is NotTaken.LOOKUP_FAILED
