"""HTTP behind TLS: who is let in, who holds nothing, and certificates that change meanwhile."""

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import uvloop

from smarthost.certificate.pair import read_pair
from smarthost.web.server import Limits, Server, bind, make_server
from tests.authority import Authority, shown_serial

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
LIMITS = Limits(handshake_seconds=0.5, linger_seconds=0.5, stop_seconds=1)
PATIENT = replace(LIMITS, handshake_seconds=20.0)
_PATIENCE = 10.0
GET = b"GET /asked HTTP/1.1\r\nHost: mail.example\r\n\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Say the scheme and how much came."""
    octets, more = 0, True
    while more:
        event = await receive()
        octets += len(event.get("body", b""))
        more = event.get("more_body", False)
    body = json.dumps({"scheme": scope["scheme"], "octets": octets}).encode()
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


@dataclass
class Running:
    port: int
    authority: Authority
    server: Server
    thread: threading.Thread
    loop: asyncio.AbstractEventLoop
    context: ssl.SSLContext

    def renew(self) -> None:
        self.authority.issue()
        self.context = read_pair(self.authority.certificate, self.authority.key).http

    def plain(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE)

    def secured(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        trusting = context or self.authority.trusting()
        return trusting.wrap_socket(self.plain(), server_hostname="localhost")

    def client(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "localhost", self.port, timeout=_PATIENCE, context=self.authority.trusting()
        )

    def ask(self) -> Any:
        with contextlib.closing(self.client()) as connection:
            connection.request("GET", "/")
            return json.load(connection.getresponse())

    def stop(self) -> float:
        started = time.monotonic()
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self.loop.call_soon_threadsafe(self.server.stop)
        self.thread.join(_PATIENCE)
        assert not self.thread.is_alive()
        return time.monotonic() - started


Start = Callable[..., Running]


@pytest.fixture(params=sorted(LOOPS))
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def begin(limits: Limits = LIMITS) -> Running:
            authority = Authority(folder=tmp_path)
            return stack.enter_context(running(LOOPS[request.param], authority, limits))

        yield begin


@contextlib.contextmanager
def running(
    new_loop: Callable[[], asyncio.AbstractEventLoop], authority: Authority, limits: Limits
) -> Iterator[Running]:
    authority.issue()
    listener = bind("127.0.0.1", 0)
    server = make_server(echo, limits=limits, tls=lambda: started.context)
    loop = new_loop()

    def serve() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(server.serve(sockets=[listener]))

    started = Running(
        port=listener.getsockname()[1],
        authority=authority,
        server=server,
        thread=threading.Thread(target=serve),
        loop=loop,
        context=read_pair(authority.certificate, authority.key).http,
    )
    started.thread.start()
    try:
        yield started
    finally:
        started.stop()


def is_closed(connection: socket.socket) -> bool:
    """Read to the end; a reset is one as well."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65_536):
            pass
    return True


def test_requests_over_tls_are_answered_and_the_application_knows_it(start: Start) -> None:
    server = start()
    with contextlib.closing(server.client()) as connection:
        for _ in range(2):  # over one connection
            connection.request("POST", "/", b"x" * 1_000_000)
            assert json.load(connection.getresponse()) == {"scheme": "https", "octets": 1_000_000}


def test_http_1_1_is_agreed_on_and_tls_1_1_is_refused(start: Start) -> None:
    server = start()
    trusting = server.authority.trusting()
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    with server.secured(trusting) as connection:
        assert connection.selected_alpn_protocol() == "http/1.1"
    old = server.authority.trusting()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        server.secured(old)
    assert server.ask()["scheme"] == "https"


def test_a_request_in_the_octets_that_end_the_handshake_is_answered(start: Start) -> None:
    server = start()
    outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = server.authority.trusting()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with server.plain() as connection:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                if outgoing.pending:
                    connection.sendall(outgoing.read())
                incoming.write(connection.recv(65_536))
        client.write(GET)
        connection.sendall(outgoing.read())  # the client's last word of TLS and the request
        answer = b""
        while b"octets" not in answer:
            with contextlib.suppress(ssl.SSLWantReadError):
                answer += client.read()
                continue
            incoming.write(connection.recv(65_536))
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_http_without_tls_is_closed_at_once(start: Start) -> None:
    server = start(PATIENT)
    with server.plain() as connection:
        connection.sendall(GET)
        assert is_closed(connection)
    assert server.ask()["scheme"] == "https"


def test_silent_clients_hold_nobody_up_and_are_closed(start: Start) -> None:
    server = start()
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(server.plain()) for _ in range(50)]
        assert server.ask()["scheme"] == "https"
        assert all(map(is_closed, silent))


def test_handshakes_count_as_connections(start: Start) -> None:
    server = start(replace(PATIENT, connections=2))
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(server.plain())
        with server.plain() as connection:
            assert is_closed(connection)


def test_a_stop_waits_for_no_handshake(start: Start) -> None:
    server = start(PATIENT)
    with server.plain() as silent, server.secured() as idle:
        assert server.stop() < 5
        assert is_closed(silent)
        assert is_closed(idle)


def test_a_new_certificate_is_shown_while_old_connections_live(start: Start) -> None:
    server = start(replace(PATIENT, idle_seconds=20.0))
    trusting = server.authority.trusting()
    with contextlib.closing(server.client()) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        before = shown_serial(server.port, trusting)
        server.renew()
        assert shown_serial(server.port, trusting) != before
        connection.request("GET", "/")
        assert connection.getresponse().status == 200


def test_a_client_that_ends_its_side_is_no_fault(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = start()
    with server.secured() as connection:
        connection.sendall(GET[:20])
        connection.unwrap().close()
    server.stop()
    assert not caplog.records


def test_what_is_refused_over_tls_can_be_read(start: Start) -> None:
    server = start()
    with server.secured() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")
