import asyncio
import gzip
import socket
import ssl
from ipaddress import ip_network

import pytest
import trustme

from smarthost.http_client.client import HttpClient
from smarthost.http_client.model import Answer, Failure, NoAnswerError
from smarthost.smtp.egress import NameLookupError, Policy, Resolver
from tests.authority import showing, trusting
from tests.http_servers import (
    HOST,
    Answering,
    HttpServer,
    Received,
    dribble,
    hang_up,
    http_server,
    say_nothing,
    status,
)
from tests.names import Names

LOOPBACK = Names(["127.0.0.1"])
ALL_PORTS = range(1, 65536)


def client(
    authority: trustme.CA,
    names: Resolver = LOOPBACK,
    *,
    policy: Policy | None = None,
    seconds: float = 5.0,
    octets: int = 1000,
) -> HttpClient:
    return HttpClient(
        policy or Policy("any"),
        names,
        lambda: trusting(authority),
        deadline_seconds=seconds,
        largest_body=octets,
        ports=ALL_PORTS,
    )


async def failing(asking: HttpClient, url: str, redirects: int = 0) -> Failure:
    with pytest.raises(NoAnswerError) as caught:
        await asking.get(url, redirects=redirects)
    return caught.value.failure


def body(octets: bytes, *headers: str) -> bytes:
    head = ["HTTP/1.1 200 OK", f"Content-Length: {len(octets)}", *headers, "", ""]
    return "\r\n".join(head).encode() + octets


def moved(to: str, line: str = "302 Found") -> bytes:
    return status(line, f"Location: {to}")


async def test_get_gives_status_and_body(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    async with http_server(body(b"<xml/>"), tls=shown) as running:
        answer = await client(authority).get(
            running.url("/a?b=c"), headers=[(b"Accept", b"text/xml")]
        )
    assert answer == Answer(status=200, body=b"<xml/>")
    (received,) = running.received
    assert received.line == "GET /a?b=c HTTP/1.1"
    assert received.headers == {
        "host": f"{HOST}:{running.port}",
        "user-agent": "Smarthost",
        "accept-encoding": "identity",
        "connection": "close",
        "accept": "text/xml",
    }


async def test_post_sends_what_it_is_given(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    async with http_server(body(b"{}"), tls=shown) as running:
        answer = await client(authority).post(
            running.url("/token"), b"a=b", headers=[(b"Content-Type", b"text/plain")]
        )
    assert answer == Answer(status=200, body=b"{}")
    assert running.received[0].line == "POST /token HTTP/1.1"
    assert running.received[0].body == b"a=b"


async def test_any_status_is_an_answer(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    async with http_server(status("404 Not Found"), status("500 No"), tls=shown) as running:
        asking = client(authority)
        assert (await asking.get(running.url())).status == 404
        assert (await asking.get(running.url())).status == 500
    assert running.connections == 2


async def test_get_goes_without_tls_where_the_policy_lets_it(authority: trustme.CA) -> None:
    async with http_server(tls=None) as running:
        assert (await client(authority).get(running.url(scheme="http"))).body == b"ok"


async def test_post_without_tls_goes_to_ones_own_network_alone(authority: trustme.CA) -> None:
    async with http_server(tls=None) as running:
        assert (await client(authority).post(running.url(scheme="http"), b"")).status == 200
    with pytest.raises(NoAnswerError) as caught:
        await client(authority, Names(["192.0.43.8"])).post(f"http://{HOST}/", b"")
    assert caught.value.failure is Failure.FORBIDDEN


async def test_the_certificate_is_that_of_the_name_in_the_url(authority: trustme.CA) -> None:
    other = showing(authority.issue_cert("other.example.com", "127.0.0.1"))
    async with http_server(tls=other) as running:
        assert await failing(client(authority), running.url()) is Failure.TLS_FAILED
        assert await failing(client(trustme.CA()), running.url()) is Failure.TLS_FAILED
    assert running.received == []


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["192.0.43.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["::1"]]
)
async def test_nothing_connects_to_what_the_operator_does_not_allow(
    authority: trustme.CA, shown: ssl.SSLContext, addresses: list[str]
) -> None:
    async with http_server(tls=shown) as running:
        policy = Policy("public", frozenset({running.port}))
        asking = client(authority, Names(addresses), policy=policy)
        assert await failing(asking, running.url()) is Failure.FORBIDDEN
        assert await failing(asking, running.url(host="127.0.0.1")) is Failure.FORBIDDEN
    assert running.connections == 0


async def test_another_port_than_the_usual_ones_has_to_be_listed(authority: trustme.CA) -> None:
    async with http_server(tls=None) as running:
        usual = HttpClient(
            Policy("any"), LOOPBACK, ssl.SSLContext, deadline_seconds=5, largest_body=10
        )
        assert await failing(usual, running.url(scheme="http")) is Failure.BAD_URL
    assert running.connections == 0


async def test_a_redirect_is_a_failure_if_none_was_asked_for(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async with http_server(moved("/elsewhere"), tls=shown) as running:
        assert await failing(client(authority), running.url()) is Failure.REDIRECTED
        with pytest.raises(NoAnswerError) as caught:
            await client(authority).post(running.url(), b"x")
    assert caught.value.failure is Failure.REDIRECTED
    assert len(running.received) == 2


@pytest.mark.parametrize(
    "line", ["301 Moved", "302 Found", "303 See Other", "307 There", "308 There"]
)
async def test_redirects_are_followed(
    authority: trustme.CA, shown: ssl.SSLContext, line: str
) -> None:
    async with http_server(moved("/b", line), moved("c", line), body(b"."), tls=shown) as running:
        answer = await client(authority).get(running.url("/a"), redirects=2)
    assert answer.body == b"."
    lines = [received.line for received in running.received]
    assert lines == ["GET /a HTTP/1.1", "GET /b HTTP/1.1", "GET /c HTTP/1.1"]


async def test_a_loop_of_redirects_ends(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    async with http_server(moved("/hook"), tls=shown) as running:
        assert await failing(client(authority), running.url(), 3) is Failure.REDIRECTED
    assert len(running.received) == 4


async def test_a_redirect_goes_through_the_gate_anew(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    """The first hop is allowed, the second leads inside: by address, and by name."""
    allowed = Policy((ip_network("127.0.0.2/32"),))
    async with http_server(tls=None) as inside:
        for to in (f"https://127.0.0.1:{inside.port}/", f"https://inside.example:{inside.port}/"):
            names = Names(["127.0.0.2"], ["127.0.0.1"])
            async with http_server(moved(to), tls=shown, host="127.0.0.2") as running:
                asking = client(authority, names, policy=allowed)
                assert await failing(asking, running.url(), 3) is Failure.FORBIDDEN
                assert running.connections == 1
    assert inside.connections == 0


@pytest.mark.parametrize("to", ["http://{place}/", "ftp://{place}/", "https://a@{place}/", ""])
async def test_a_redirect_leads_to_no_clear_text_and_no_other_scheme(
    authority: trustme.CA, shown: ssl.SSLContext, to: str
) -> None:
    async with http_server(tls=None) as inside:
        place = f"127.0.0.1:{inside.port}"
        async with http_server(moved(to.format(place=place)), tls=shown) as running:
            assert await failing(client(authority), running.url(), 3) is Failure.REDIRECTED
    assert inside.connections == 0


async def test_no_proxy_of_the_environment_comes_in_between(
    authority: trustme.CA, shown: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_server(tls=None) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with http_server(tls=shown) as running:
            assert (await client(authority).get(running.url())).status == 200
    assert proxy.connections == 0


async def test_no_cookie_comes_back(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    setting = body(b"", "Set-Cookie: a=b")
    async with http_server(setting, tls=shown) as running:
        asking = client(authority)
        await asking.get(running.url())
        await asking.get(running.url())
    assert all("cookie" not in received.headers for received in running.received)


@pytest.mark.parametrize("answer", [say_nothing, dribble], ids=["silent", "dribbling"])
async def test_the_deadline_is_for_all_of_it(
    authority: trustme.CA, shown: ssl.SSLContext, answer: Answering
) -> None:
    async with http_server(answer, tls=shown) as running:
        asking = client(authority, seconds=0.3)
        began = asyncio.get_running_loop().time()
        assert await failing(asking, running.url()) is Failure.TIMED_OUT
        assert asyncio.get_running_loop().time() - began < 3


async def test_the_deadline_counts_redirects_as_well(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async def late(_request: Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(moved("/again"))

    async with http_server(late, tls=shown) as running:
        asking = client(authority, seconds=0.5)
        assert await failing(asking, running.url(), 100) is Failure.TIMED_OUT
    assert len(running.received) <= 3


async def test_a_body_of_the_greatest_length_is_read(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async with http_server(body(b"." * 1000), tls=shown) as running:
        assert len((await client(authority).get(running.url())).body) == 1000


async def test_a_longer_body_is_a_failure_and_little_of_it_is_read(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    sent = 0

    async def flood(_request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent < 1_000_000_000:
            writer.write(b"10000\r\n" + b"." * 65536 + b"\r\n")
            await writer.drain()
            sent += 65536

    async with http_server(flood, tls=shown) as running:
        assert await failing(client(authority), running.url()) is Failure.TOO_LONG
    # Besides what is read there is what the buffers of both sides hold.
    assert sent < 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("head", "again"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["tiny chunks", "100 without end"],
)
async def test_an_answer_that_is_mostly_work_is_given_up(
    authority: trustme.CA, shown: ssl.SSLContext, head: bytes, again: bytes
) -> None:
    async with http_server(head + again * 60_000, tls=shown) as running:
        asking = client(authority, octets=64 * 1024)
        assert await failing(asking, running.url()) is Failure.BROKEN_OFF


async def test_a_compressed_body_is_refused(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    bomb = body(gzip.compress(b"\0" * 100_000), "Content-Encoding: gzip")
    async with http_server(bomb, tls=shown) as running:
        assert await failing(client(authority), running.url()) is Failure.ENCODED


@pytest.mark.parametrize("encoding", ["identity", "IDENTITY "])
async def test_a_body_that_is_called_as_it_is_is_taken(
    authority: trustme.CA, shown: ssl.SSLContext, encoding: str
) -> None:
    async with http_server(body(b".", f"Content-Encoding: {encoding}"), tls=shown) as running:
        assert (await client(authority).get(running.url())).body == b"."


@pytest.mark.parametrize(
    "answer",
    [
        hang_up,
        b"SMTP/1.0 no\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nx",
    ],
    ids=["none", "not HTTP", "endless header", "no status", "two lengths", "coding", "upgrade"],
)
async def test_what_is_no_answer_is_a_failure(
    authority: trustme.CA, shown: ssl.SSLContext, answer: bytes
) -> None:
    async with http_server(answer, tls=shown) as running:
        assert await failing(client(authority), running.url()) is Failure.BROKEN_OFF


async def test_half_a_body_is_a_failure(authority: trustme.CA, shown: ssl.SSLContext) -> None:
    async def half(_request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(body(b"." * 100)[:-50])
        writer.close()

    async with http_server(half, tls=shown) as running:
        assert await failing(client(authority), running.url()) is Failure.BROKEN_OFF


async def test_a_port_where_nobody_listens(authority: trustme.CA) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://{HOST}:{taken.getsockname()[1]}/"
        assert await failing(client(authority), url) is Failure.UNREACHABLE


async def test_a_name_without_an_address(authority: trustme.CA) -> None:
    assert await failing(client(authority, Names()), f"https://{HOST}/") is Failure.NOT_FOUND


async def test_a_name_that_cannot_be_looked_up(authority: trustme.CA) -> None:
    class Broken:
        async def resolve(self, host: str) -> list[str]:
            raise NameLookupError(host)

    assert await failing(client(authority, Broken()), f"https://{HOST}/") is Failure.LOOKUP_FAILED


async def test_connections_end_with_the_request(
    authority: trustme.CA, shown: ssl.SSLContext
) -> None:
    async with http_server(body(b"."), tls=shown) as running:
        await client(authority).get(running.url())
        await _all_ended(running)


async def _all_ended(running: HttpServer) -> None:
    async with asyncio.timeout(5):
        await asyncio.gather(*running.serving)
