"""Clients behind a proxy that says who they are, and others that say so without being one."""

import asyncio
import contextlib
import smtplib
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from smarthost.submission.limits import Limits
from tests.metrics.exposed import samples
from tests.submission.proxied import SIGNATURE, block, line
from tests.submission.served import CONTENT, HOST, PATIENCE, SENDER, Client, Service, serving

FROM_PROXY = "127.0.0.1"
FROM_ELSEWHERE = "127.0.0.2"
ANNA, BEN = "192.0.2.7", "2001:db8::7"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
LATE = "No header came in time."
OPEN = ("smarthost_submission_sessions",)
TURNED_AWAY = ("smarthost_submission_sessions_begun_total", "turned_away")
HEADERS = {
    "line": line(ANNA),
    "block": block(ANNA),
    "block with more": block(ANNA, more=b"\x04\x00\x01x" * 100),
}


class Behind(smtplib.SMTP_SSL):
    """A client with TLS from the first octet, behind a proxy."""

    def __init__(self, header: bytes, service: Service, context: ssl.SSLContext) -> None:
        self._header = header
        super().__init__("127.0.0.1", service.tls_port, timeout=PATIENCE, context=context)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        connection = socket.create_connection((host, port), timeout)
        connection.sendall(self._header)
        return self.context.wrap_socket(connection, server_hostname=HOST)

    def try_once(self, key: str) -> int:
        """Log in by one command; return the code of the answer."""
        self.ehlo()
        message = b64encode(b"\0app\0" + key.encode()).decode()
        return self.docmd("AUTH", f"PLAIN {message}")[0]


@asynccontextmanager
async def proxied(
    folder: Path,
    limits: Limits | None = None,
    certificate: Callable[[], ssl.SSLContext | None] = lambda: None,
) -> AsyncIterator[Service]:
    networks = {"SUBMISSION_PROXY_NETWORKS": f"{FROM_PROXY}/32, 2001:db8:1::/48"}
    async with serving(folder, limits, certificate, **networks) as service:
        yield service


async def greeted(service: Service, header: bytes, stack: AsyncExitStack) -> Client:
    client = await stack.enter_async_context(service.connected(greeted=False))
    client.send(header)
    assert (await client.reply()).startswith("220 ")
    return client


@contextlib.contextmanager
def refusals() -> Iterator[list[Any]]:
    """Collect what is logged of headers that were not taken."""
    found: list[Any] = []
    with capture_logs() as logged:
        yield found
    found += [entry for entry in logged if entry["event"] == "no PROXY header"]


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_the_greeting_follows_the_header_and_all_behind_it_is_the_clients(
    tmp_path: Path, header: bytes
) -> None:
    async with proxied(tmp_path) as service, service.connected(greeted=False) as client:
        client.send(header + b"EHLO app.example.com\r\nNOOP\r\n")
        assert (await client.reply()).startswith("220 ")
        assert (await client.reply()).startswith("250-smarthost.example.com")
        assert (await client.reply()).startswith("250 ")


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_a_header_may_come_in_pieces(tmp_path: Path, header: bytes) -> None:
    async with proxied(tmp_path) as service, service.connected(greeted=False) as client:
        for at in range(min(len(header), 60)):
            client.send(header[at : at + 1])
            await asyncio.sleep(0.001)
        client.send(header[60:] + b"NOOP\r\n")
        assert (await client.reply()).startswith("220 ")
        assert (await client.reply()).startswith("250 ")


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_tls_may_begin_in_the_same_segment(
    tmp_path: Path, certificate: ssl.SSLContext, trusting: ssl.SSLContext, header: bytes
) -> None:
    def greeting(port: int) -> bytes:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = trusting.wrap_bio(incoming, outgoing, server_hostname=HOST)
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
            said = header
            for _ in range(100):
                try:
                    return tls.read(1_000)
                except ssl.SSLWantReadError:
                    connection.sendall(said + outgoing.read())
                    incoming.write(connection.recv(65_536))
                    said = b""
        raise AssertionError("There was no greeting.")

    async with proxied(tmp_path, certificate=lambda: certificate) as service:
        assert (await asyncio.to_thread(greeting, service.tls_port)).startswith(b"220 ")


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (line(ANNA), ANNA),
        (block(BEN, "::1"), f"IPv6:{BEN}"),
        (block(f"::ffff:{ANNA}", "::1"), ANNA),
        (LOCAL, FROM_PROXY),
        (b"PROXY UNKNOWN\r\n", FROM_PROXY),
    ],
)
async def test_a_message_says_where_its_client_is(
    tmp_path: Path,
    certificate: ssl.SSLContext,
    trusting: ssl.SSLContext,
    header: bytes,
    address: str,
) -> None:
    def submit(service: Service) -> None:
        with Behind(header, service, trusting) as client:
            client.login("app", service.key)
            client.sendmail(SENDER, ["anna@example.net"], CONTENT)

    async with proxied(tmp_path, certificate=lambda: certificate) as service:
        with capture_logs() as logged:
            await asyncio.to_thread(submit, service)
        (message,) = await service.messages()
        received = (await service.content(message)).partition(b";")[0].decode()
    assert f"([{address}])" in received
    assert [entry["client"] for entry in logged if entry["event"] == "submitted"] == [
        address.removeprefix("IPv6:")
    ]


async def test_wrong_keys_count_against_their_client_and_not_against_the_proxy(
    tmp_path: Path, certificate: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    def tell(service: Service) -> None:
        for _ in range(4):  # it may become another minute
            with Behind(line(ANNA), service, trusting) as anna:
                if anna.try_once("sh_wrong") == 421:
                    break
        else:
            raise AssertionError("These were never too many.")
        with Behind(line("192.0.2.8"), service, trusting) as other:
            assert other.try_once("sh_wrong") == 535
            assert other.try_once(service.key) == 235

    limits = Limits(bad_logins_a_minute=1)
    async with proxied(tmp_path, limits, lambda: certificate) as service:
        await asyncio.to_thread(tell, service)


async def test_sessions_count_as_their_clients_and_not_as_the_proxys(tmp_path: Path) -> None:
    async with proxied(tmp_path, Limits(strangers=2)) as service, AsyncExitStack() as stack:
        silent = [
            await stack.enter_async_context(service.connected(greeted=False)) for _ in range(3)
        ]
        first, second = [await greeted(service, line(ANNA), stack) for _ in range(2)]
        for client, last in zip(silent, (1, 2, 3), strict=True):
            client.send(line(f"192.0.2.{last}"))
            assert (await client.reply()).startswith("220 ")
        await greeted(service, line(ANNA), stack)
        assert await first.rest() == "421 4.7.0 Too many sessions are open; try again soon\r\n"
        for client in (second, *silent):
            assert (await client.ask(b"NOOP\r\n")).startswith("250 ")


async def test_one_client_sends_away_its_own_sessions_and_nobody_elses(tmp_path: Path) -> None:
    # Who is sent away here does not leave before the end.
    limits = Limits(sessions=4, strangers=1, linger_seconds=PATIENCE)
    async with proxied(tmp_path, limits) as service, AsyncExitStack() as stack:
        honest = [await greeted(service, line(f"192.0.2.{last}"), stack) for last in (1, 2)]
        for _ in range(5):
            await greeted(service, block(ANNA), stack)
        for client in honest:
            assert (await client.ask(b"NOOP\r\n")).startswith("250 ")


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_where_all_have_logged_in_a_proxys_client_is_told_so(
    tmp_path: Path, header: bytes
) -> None:
    async with proxied(tmp_path, Limits(sessions=1)) as service, AsyncExitStack() as stack:
        direct = await stack.enter_async_context(service.connected(source=FROM_ELSEWHERE))
        assert (await direct.log_in(service.key)).startswith("235 ")
        client = await stack.enter_async_context(service.connected(greeted=False))
        client.send(header)
        assert await client.rest() == "421 4.7.0 Too many sessions are open; try again soon\r\n"
        assert samples(service.parts.metrics)[TURNED_AWAY] == 1
        assert (await direct.ask(b"NOOP\r\n")).startswith("250 ")


async def test_who_does_not_say_who_it_is_makes_room_too(tmp_path: Path) -> None:
    async with proxied(tmp_path, Limits(sessions=2)) as service, AsyncExitStack() as stack:
        silent = [
            await stack.enter_async_context(service.connected(greeted=False)) for _ in range(2)
        ]
        client = await greeted(service, line(ANNA), stack)
        assert await silent[0].rest() == ""
        silent[1].send(line(ANNA))
        assert (await silent[1].reply()).startswith("220 ")
        assert (await client.ask(b"NOOP\r\n")).startswith("250 ")


@pytest.mark.parametrize(
    "header", [line("127.0.0.1", "127.0.0.1"), block("::1", "::1"), LOCAL, b"PROXY UNKNOWN\r\n"]
)
async def test_whatever_a_proxy_says_a_login_needs_tls(tmp_path: Path, header: bytes) -> None:
    async with proxied(tmp_path) as service, AsyncExitStack() as stack:
        client = await greeted(service, header, stack)
        assert "AUTH" not in await client.ask(b"EHLO app.example.com\r\n")
        assert (await client.log_in(service.key)).startswith("538 ")


async def test_from_elsewhere_no_header_is_waited_for_or_read(tmp_path: Path) -> None:
    async with proxied(tmp_path) as service, service.connected(source=FROM_ELSEWHERE) as client:
        assert (await client.ask(line("192.0.2.1"))).startswith("500 5.5.1 ")
        with capture_logs() as logged:
            assert (await client.log_in("sh_wrong")).startswith("535 ")
        assert [entry["client"] for entry in logged] == [FROM_ELSEWHERE]


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
async def test_a_proxy_that_is_not_named_is_warned_of(tmp_path: Path, header: bytes) -> None:
    async with proxied(tmp_path) as service:
        with capture_logs() as logged:
            for _ in range(2):
                async with service.connected(source=FROM_ELSEWHERE) as client:
                    assert (await client.ask(header + b"\r\n")).startswith("500 ")
    assert [entry["peer"] for entry in logged] == [FROM_ELSEWHERE]


async def test_of_what_does_not_come_first_or_by_a_proxy_nothing_is_made(tmp_path: Path) -> None:
    async with proxied(tmp_path) as service, AsyncExitStack() as stack:
        with capture_logs() as logged:
            behind = await greeted(service, line(ANNA), stack)
            assert (await behind.ask(line(ANNA))).startswith("500 ")
            async with service.connected(source=FROM_ELSEWHERE) as client:
                await client.ask(b"NOOP\r\n")
                assert (await client.ask(line(ANNA))).startswith("500 ")
    assert not logged


async def test_where_no_proxies_are_named_there_are_none(service: Service) -> None:
    async with service.connected() as client:
        assert (await client.ask(line(ANNA))).startswith("500 5.5.1 ")
    async with service.connected() as client:
        client.send(block(ANNA))
        assert (await client.rest()).endswith("500 5.5.2 A line has no NUL in it\r\n")


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"EHLO app.example.com\r\n", "The connection begins with something else."),
        (b"\x16\x03\x01\x02\x00\x01", "The connection begins with something else."),
        (b"PROXY TCP4 a b 1 2\r\n", "The header is not written as it should be."),
        (b"PROXY TCP4 " + b"1" * 200, "The header is too long."),
        (SIGNATURE + b"\x21\x11\xff\xff", "The header is too long."),
        (b"PROXY TCP4 192", LATE),
        (b"", LATE),
    ],
)
async def test_without_a_good_header_there_is_no_answer(
    tmp_path: Path, octets: bytes, reason: str
) -> None:
    limits = Limits(command_seconds=0.3) if reason == LATE else None
    async with proxied(tmp_path, limits) as service:
        with refusals() as logged:
            async with service.connected(greeted=False) as client:
                client.send(octets)
                assert await client.rest() == ""
        assert logged == [
            {
                "event": "no PROXY header",
                "log_level": "warning",
                "proxy": FROM_PROXY,
                "reason": reason,
            }
        ]
        assert samples(service.parts.metrics)[OPEN] == 0


@pytest.mark.parametrize(("octets", "lines"), [(b"", 0), (b"PROXY TCP4 192", 1)])
async def test_who_looks_whether_the_port_is_open_is_no_news(
    tmp_path: Path, octets: bytes, lines: int
) -> None:
    async with proxied(tmp_path) as service:
        with refusals() as logged:
            async with service.connected(greeted=False) as client:
                client.send(octets)
                client.writer.write_eof()
                assert await client.rest() == ""
        assert [entry["reason"] for entry in logged] == ["The header has no end."] * lines


async def test_a_proxy_without_headers_is_warned_of_once(tmp_path: Path) -> None:
    async with proxied(tmp_path) as service:
        with refusals() as logged:
            for octets in (b"EHLO a\r\n", b"EHLO b\r\n", b"PROXY \r\n", b"EHLO c\r\n"):
                async with service.connected(greeted=False) as client:
                    client.send(octets)
                    assert await client.rest() == ""
    assert [entry["log_level"] for entry in logged] == ["warning", "info", "warning", "info"]


async def test_a_stop_does_not_wait_for_a_header(tmp_path: Path) -> None:
    limits = Limits(stop_seconds=60, command_seconds=60)
    async with proxied(tmp_path, limits) as service, service.connected(greeted=False) as client:
        async with service.connected(source=FROM_ELSEWHERE):
            pass  # who came before has been taken, too
        began = time.monotonic()
        await service.listener.stop()
        assert time.monotonic() - began < 20
        assert await client.rest() == ""
