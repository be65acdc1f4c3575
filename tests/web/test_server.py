import asyncio
import contextlib
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import uvloop

from smarthost.web.server import Limits, ListenError, Server, bind, make_server

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
# Short enough not to be waited for, long enough for a busy machine.
QUICK = Limits(idle_seconds=0.2, linger_seconds=0.5, head_seconds=0.5, stop_seconds=1)
PATIENT = replace(QUICK, head_seconds=20.0, idle_seconds=20.0, linger_seconds=20.0)
HOST = b"Host: mail.example\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
# 46 octets.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"


@dataclass
class Echo:
    """An ASGI application that says what it was asked; `/hold` waits for `release`."""

    asked: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        self.asked.append(path)
        try:
            await self.answer(path, scope, receive, send)
        finally:
            self.ended.append(path)

    async def answer(self, path: str, scope: Any, receive: Any, send: Any) -> None:
        body = b"" if path == "/early" else await read(receive)
        if path == "/fail":
            raise ZeroDivisionError
        if path == "/hold":
            self.held.set()
            await self.release.wait()
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]]
        told = {
            "method": scope["method"],
            "path": path,
            "query": scope["query_string"].decode(),
            "body": None if body is None else body.decode("latin-1"),
            "headers": headers,
        }
        text = json.dumps(told).encode()
        length = (b"content-length", b"%d" % len(text))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": text})


async def read(receive: Any) -> bytes | None:
    parts = []
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return None
        parts.append(event["body"])
        if not event["more_body"]:
            return b"".join(parts)


@dataclass
class Running:
    """A server in a thread of its own, and the application behind it."""

    port: int
    echo: Echo
    server: Server
    thread: threading.Thread
    loop: asyncio.AbstractEventLoop

    def begin_to_stop(self) -> None:
        self._call(self.server.stop)

    def release(self) -> None:
        self._call(self.echo.release.set)

    def _call(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            self.loop.call_soon_threadsafe(function)

    def stop(self) -> float:
        started = time.monotonic()
        self.begin_to_stop()
        self.thread.join(15)
        assert not self.thread.is_alive()
        return time.monotonic() - started

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


Start = Callable[..., Running]


@pytest.fixture(params=sorted(LOOPS))
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def begin(limits: Limits = QUICK) -> Running:
            return stack.enter_context(running(LOOPS[request.param], limits))

        yield begin


@pytest.fixture(scope="module")
def quick() -> Iterator[Running]:
    with running(uvloop.new_event_loop, QUICK) as server:
        yield server


@contextlib.contextmanager
def running(
    new_loop: Callable[[], asyncio.AbstractEventLoop], limits: Limits
) -> Iterator[Running]:
    echo = Echo()
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = make_server(echo, limits=limits)
    loop = new_loop()

    def serve() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(server.serve(sockets=[listener]))

    thread = threading.Thread(target=serve)
    thread.start()
    started = Running(port=port, echo=echo, server=server, thread=thread, loop=loop)
    try:
        yield started
    finally:
        started.release()
        started.stop()


def read_all(connection: socket.socket) -> bytes:
    """Read until the server closes; a reset ends it too."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def read_answer(connection: socket.socket) -> bytes:
    """Read one answer and leave the connection open."""
    text = b""
    while (length := re.search(rb"content-length: (\d+)\r\n", text)) is None:
        text += connection.recv(65_536)
    whole = text.find(b"\r\n\r\n") + 4 + int(length[1])
    while len(text) < whole:
        text += connection.recv(65_536)
    return text


def exchange(server: Running, *segments: bytes) -> bytes:
    """Send the segments apart from each other and read all there is to read."""
    with server.connect() as connection:
        for segment in segments:
            connection.sendall(segment)
        return read_all(connection)


def statuses(answers: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


def assert_refused(answer: bytes, status: int, kind: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    told = json.loads(body)
    assert statuses(answer) == [status]
    assert (told["status"], told["statusCode"], told["error"]["type"]) == (1, status, kind)
    assert told["error"]["message"]
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"connection"] == b"close"
    assert headers[b"content-length"] == b"%d" % len(body)
    assert b"date" in headers
    assert b"server" not in headers


def test_a_request_is_answered_and_the_connection_kept(start: Start) -> None:
    server = start(PATIENT)
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for number in range(3):
        client.request("POST", f"/a%20b?n={number}", body=b"text")
        response = client.getresponse()
        told = json.loads(response.read())
        assert (told["path"], told["query"], told["body"]) == ("/a b", f"n={number}", "text")
        assert response.headers["date"]
        assert response.headers["server"] is None
        assert not response.will_close
    client.close()


def test_a_chunked_body_is_one_body(quick: Running) -> None:
    answer = exchange(
        quick, POST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["body"] == "abcde"


def test_a_request_may_come_octet_by_octet(quick: Running) -> None:
    text = POST + b"Content-Length: 3\r\n\r\nabc"
    answer = exchange(quick, *(text[i : i + 1] for i in range(len(text))))
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["body"] == "abc"


def test_a_head_of_300_megabytes_is_cut_off_early(start: Start) -> None:
    server = start(PATIENT)
    sent = 0
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"X: ")
        with contextlib.suppress(ConnectionError):
            while sent < 300 << 20:
                connection.sendall(b"a" * 65_536)
                sent += 65_536
    # The kernel's buffers hold some of it; the server itself reads 1 MiB more than the limit.
    assert sent < 8 << 20
    assert server.echo.asked == []


def test_a_head_that_grows_too_large_is_refused(start: Start) -> None:
    server = start(PATIENT)
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 70_000)
        connection.shutdown(socket.SHUT_WR)
        assert_refused(read_all(connection), 431, "requestHeaderFieldsTooLarge")


def test_a_whole_head_that_is_too_large_is_refused(start: Start) -> None:
    server = start(replace(QUICK, head_octets=1_000))
    fitting = b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 800 + b"\r\n\r\n"
    over = b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 1_000 + b"\r\n\r\n"
    assert statuses(exchange(server, fitting)) == [200]
    assert_refused(exchange(server, over), 431, "requestHeaderFieldsTooLarge")
    assert_refused(
        exchange(server, b"GET /" + b"a" * 1_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
        431,
        "requestHeaderFieldsTooLarge",
    )


def test_a_large_body_does_not_count_as_head(start: Start) -> None:
    server = start(replace(QUICK, head_octets=1_000))
    body = b"a" * 200_000
    text = POST + b"Content-Length: 200000\r\n\r\n" + body
    assert statuses(exchange(server, text)) == [200]


@pytest.mark.parametrize(("fields", "status"), [(99, 200), (100, 431)])
def test_at_most_a_hundred_fields(quick: Running, fields: int, status: int) -> None:
    more = b"".join(b"X-%d: a\r\n" % number for number in range(fields))
    assert statuses(exchange(quick, b"GET / HTTP/1.1\r\n" + HOST + more + b"\r\n")) == [status]


@pytest.mark.parametrize(
    "growth", [b"X: " + b"a" * 600_000, b"X: a\r\n" * 100_000], ids=["one", "many"]
)
def test_trailers_are_bounded(quick: Running, growth: bytes) -> None:
    with quick.connect() as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + growth)
        assert_refused(read_all(connection), 431, "requestHeaderFieldsTooLarge")


def test_a_chunk_extension_is_bounded(quick: Running) -> None:
    with quick.connect() as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n3;" + b"a" * 600_000)
        assert_refused(read_all(connection), 431, "requestHeaderFieldsTooLarge")


def test_trailers_do_not_become_headers(quick: Running) -> None:
    answer = exchange(
        quick,
        POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nCookie: a=b\r\n\r\n",
    )
    told = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert [name for name, _ in told["headers"]] == ["host", "transfer-encoding"]


def trickle(connection: socket.socket, octets: bytes) -> bytes:
    """Send an octet every 50 ms until the server answers or closes; bounded by `octets`."""
    connection.settimeout(0.05)
    for octet in octets:
        with contextlib.suppress(ConnectionError):
            connection.send(bytes([octet]))
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            first = connection.recv(65_536)
            connection.settimeout(10)
            return first + read_all(connection)
    pytest.fail("the server never gave up")


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\nX: " + b"a" * 300, b"\r\n" * 200])
def test_a_head_that_trickles_is_refused(start: Start, octets: bytes) -> None:
    server = start(QUICK)
    with server.connect() as connection:
        assert_refused(trickle(connection, octets), 408, "requestTimeout")
    assert server.echo.asked == []


@pytest.mark.parametrize("octets", [b"GET / HTTP/1.1\r\nX: " + b"a" * 300, b"\r\n" * 200])
def test_a_later_head_that_trickles_is_refused_too(start: Start, octets: bytes) -> None:
    server = start(replace(QUICK, idle_seconds=20.0))
    with server.connect() as connection:
        connection.sendall(GET)
        assert statuses(read_answer(connection)) == [200]
        assert_refused(trickle(connection, octets), 408, "requestTimeout")


def test_a_connection_without_an_octet_is_closed_without_a_word(start: Start) -> None:
    assert exchange(start(QUICK)) == b""


def test_an_idle_connection_is_closed(start: Start) -> None:
    assert statuses(exchange(start(replace(QUICK, head_seconds=20.0)), GET)) == [200]


def test_a_connection_too_many_is_told_to_come_again(start: Start) -> None:
    server = start(replace(PATIENT, connections=2))
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            connection = stack.enter_context(server.connect())
            connection.sendall(GET)
            assert statuses(read_answer(connection)) == [200]
        with server.connect() as crowded:
            crowded.sendall(GET)
            crowded.shutdown(socket.SHUT_WR)
            answer = read_all(crowded)
        assert_refused(answer, 503, "serviceUnavailable")
        assert b"\r\nretry-after: 5\r\n" in answer
    assert server.echo.asked == ["/", "/"]


def test_beyond_twice_the_connections_there_is_no_answer(start: Start) -> None:
    server = start(replace(PATIENT, connections=1))
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(3)]
        assert read_all(connections[2]) == b""


HEAD_REFUSALS = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "no host in 1.0": b"GET / HTTP/1.0\r\n\r\n",
    "empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "the same host twice": b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n",
    "hosts in a list": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "host with user": b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "host with path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "host with blank": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "host with letters as port": b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n",
    "host beyond ASCII": b"GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n",
    "open bracket": b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "absolute target": b"GET http://mail.example/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "another absolute target": b"GET http://other.example/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "authority target": b"CONNECT mail.example:25 HTTP/1.1\r\n" + HOST + b"\r\n",
    "star target": b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
    "fragment": b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n",
    "target beyond ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "blank in target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01",
    "unknown method": b"FROB / HTTP/1.1\r\n" + HOST + b"\r\n",
    "unknown minor version": b"GET / HTTP/1.7\r\n" + HOST + b"\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("text", HEAD_REFUSALS.values(), ids=HEAD_REFUSALS)
def test_an_odd_head_is_refused(quick: Running, text: bytes) -> None:
    before = len(quick.echo.asked)
    assert_refused(exchange(quick, text), 400, "badRequest")
    assert len(quick.echo.asked) == before


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0\r\n", b"GET /\r\n"])
def test_another_version_is_named_so(quick: Running, line: bytes) -> None:
    assert_refused(exchange(quick, line + HOST + b"\r\n"), 505, "httpVersionNotSupported")


@pytest.mark.parametrize(
    "host", [b"a", b"a.example:8025", b"A_b.example.", b"[::1]:80", b"127.0.0.1", b"a:", b"a \t"]
)
def test_an_ordinary_host_is_taken(quick: Running, host: bytes) -> None:
    assert statuses(exchange(quick, b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")) == [200]


def test_options_may_ask_about_the_server(quick: Running) -> None:
    assert statuses(exchange(quick, b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n")) == [200]


def test_blanks_after_a_value_are_no_part_of_it(quick: Running) -> None:
    answer = exchange(quick, b"GET / HTTP/1.1\r\n" + HOST + b"X: a b \t \r\n\r\n")
    assert ["x", "a b"] in json.loads(answer.partition(b"\r\n\r\n")[2])["headers"]


CHUNKED = b"Transfer-Encoding: chunked\r\n"
ENDED = b"0\r\n\r\n" + SMUGGLED
REFUSED_FRAMINGS = {
    "length and coding": POST + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n" + ENDED,
    "coding and length": POST + CHUNKED + b"Content-Length: 4\r\n\r\n" + ENDED,
    "unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + ENDED,
    "coding before chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + ENDED,
    "coding after chunked": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + ENDED,
    "chunked twice": POST + CHUNKED + CHUNKED + b"\r\n" + ENDED,
    "identity, then chunked": POST
    + b"Transfer-Encoding: identity\r\n"
    + CHUNKED
    + b"\r\n"
    + ENDED,
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n" + SMUGGLED,
    "empty coding": POST + b"Transfer-Encoding:\r\n\r\n" + ENDED,
    "quoted coding": POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + ENDED,
    "coding after a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + ENDED,
    "coding with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n" + ENDED,
    "coding in HTTP/1.0": b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n" + ENDED,
    "blank before colon": POST + b"Transfer-Encoding : chunked\r\n\r\n" + ENDED,
    "blank before colon of length": POST + b"Content-Length : 5\r\n\r\n" + SMUGGLED,
    "folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + ENDED,
    "folded value": POST + b"X: a\r\n Content-Length: 5\r\n\r\n" + SMUGGLED,
    "blank before the first field": b"POST / HTTP/1.1\r\n Host: a\r\n\r\n" + SMUGGLED,
    "two equal lengths": POST + b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 46\r\n\r\n" + SMUGGLED,
    "lengths in a list": POST + b"Content-Length: 0, 58\r\n\r\n" + SMUGGLED,
    "negative length": POST + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
    "length with plus": POST + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "hexadecimal length": POST + b"Content-Length: 0x0\r\n\r\n" + SMUGGLED,
    "empty length": POST + b"Content-Length:\r\n\r\n" + SMUGGLED,
    "length beyond 64 bits": POST + b"Content-Length: 18446744073709551616\r\n\r\n" + SMUGGLED,
    "length with a blank inside": POST + b"Content-Length: 0 0\r\n\r\n" + SMUGGLED,
    "length with an underscore": POST + b"Content-Length: 5_8\r\n\r\n" + SMUGGLED,
    "line feeds alone": b"POST / HTTP/1.1\nHost: a\nContent-Length: 0\n\n" + SMUGGLED,
    "line feed alone in a field": POST + b"X: a\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "line feed alone at the end": POST + b"\n" + SMUGGLED,
    "carriage return alone": POST + b"X: a\rContent-Length: 46\r\n\r\n" + SMUGGLED,
    "two carriage returns": POST + b"X: a\r\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "NUL in a value": POST + b"X: a\0b\r\n\r\n" + SMUGGLED,
    "NUL in a name": POST + b"X\0: a\r\n\r\n" + SMUGGLED,
    "control in a value": POST + b"X: a\x01\r\n\r\n" + SMUGGLED,
    "name beyond ASCII": POST + b"X\xff: a\r\n\r\n" + SMUGGLED,
    "empty name": POST + b": a\r\n\r\n" + SMUGGLED,
    "field without colon": POST + b"chunked\r\n\r\n" + SMUGGLED,
    "chunk size with 0x": POST + CHUNKED + b"\r\n0x3\r\nabc\r\n" + ENDED,
    "negative chunk size": POST + CHUNKED + b"\r\n-3\r\nabc\r\n" + ENDED,
    "chunk size with plus": POST + CHUNKED + b"\r\n+3\r\nabc\r\n" + ENDED,
    "chunk size beyond 64 bits": POST + CHUNKED + b"\r\n10000000000000003\r\nabc\r\n" + ENDED,
    "blank after chunk size": POST + CHUNKED + b"\r\n3 \r\nabc\r\n" + ENDED,
    "no chunk size": POST + CHUNKED + b"\r\n\r\nabc\r\n" + ENDED,
    "chunk longer than its size": POST + CHUNKED + b"\r\n2\r\nabc\r\n" + ENDED,
    "line feed after chunk size": POST + CHUNKED + b"\r\n3\nabc\r\n" + ENDED,
    "line feed in an extension": POST + CHUNKED + b"\r\n3;a\nb\r\nabc\r\n" + ENDED,
    "line feed after a chunk": POST + CHUNKED + b"\r\n3\r\nabc\n" + ENDED,
    "length in a trailer": POST + CHUNKED + b"\r\n0\r\nContent-Length: 46\r\n\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("apart", [False, True], ids=["one segment", "two segments"])
@pytest.mark.parametrize("text", REFUSED_FRAMINGS.values(), ids=REFUSED_FRAMINGS)
def test_doubtful_framing_is_refused(quick: Running, text: bytes, apart: bool) -> None:
    cut = len(text) // 2 if apart else 0
    assert_refused(exchange(quick, text[:cut], text[cut:]), 400, "badRequest")
    assert "/smuggled" not in quick.echo.asked


FOLLOWED = {
    "a whole request": GET + SMUGGLED,
    "a request after an announced close": GET[:-2] + b"Connection: close\r\n\r\n" + SMUGGLED,
    "a request after HTTP/1.0": b"GET / HTTP/1.0\r\n" + HOST + b"\r\n" + SMUGGLED,
    "a request after HTTP/1.0 kept alive": b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n"
    + HOST
    + b"\r\n"
    + SMUGGLED,
    "a request after a body": POST + b"Content-Length: 3\r\n\r\nabc" + SMUGGLED,
    "a request after chunks": POST + CHUNKED + b"\r\n3\r\nabc\r\n" + ENDED,
    "a request after an offer": GET[:-2]
    + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    + SMUGGLED,
    "a request after a body with an offer": POST
    + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc"
    + SMUGGLED,
    "an offer in a trailer": POST
    + b"Connection: upgrade\r\n"
    + CHUNKED
    + b"\r\n0\r\nUpgrade: h2c\r\n\r\n"
    + SMUGGLED,
    "no HTTP": GET + b"\0\0\0",
    "a length of a get": GET[:-2] + b"Content-Length: 46\r\n\r\n" + SMUGGLED,
}


@pytest.mark.parametrize("text", FOLLOWED.values(), ids=FOLLOWED)
def test_what_follows_a_request_unasked_is_not_answered(
    quick: Running, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert statuses(exchange(quick, text)) == [200]
    assert caplog.records == []
    assert "/smuggled" not in quick.echo.asked


@pytest.mark.parametrize(
    "body", [b"Content-Length: 3\r\n\r\nabc", CHUNKED + b"\r\n3\r\nabc\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("apart", [False, True], ids=["one segment", "two segments"])
def test_an_offer_to_upgrade_does_not_lose_the_body(
    start: Start, body: bytes, apart: bool
) -> None:
    server = start(QUICK)
    head = POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
    segments = (head, body[:-4], body[-4:]) if apart else (head + body,)
    answer = exchange(server, *segments)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["body"] == "abc"


def test_requests_after_an_empty_line_are_taken(quick: Running) -> None:
    # RFC 9112 section 2.2.
    assert statuses(exchange(quick, b"\r\n" + GET)) == [200]


def test_an_early_answer_is_readable_while_the_body_still_comes(start: Start) -> None:
    server = start(PATIENT)
    early = b"POST /early HTTP/1.1\r\n" + HOST + b"Content-Length: 10000000\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(early + b"a" * 10_000_000)
        assert statuses(read_answer(connection)) == [200]
        connection.sendall(GET)
        assert statuses(read_answer(connection)) == [200]


def test_an_early_last_answer_is_readable_while_the_body_still_comes(start: Start) -> None:
    server = start(PATIENT)
    early = b"POST /early HTTP/1.0\r\n" + HOST + b"Content-Length: 10000000\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(early + b"a" * 10_000_000)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(read_all(connection)) == [200]


def test_an_endless_body_after_an_early_answer_is_cut_off(start: Start) -> None:
    server = start(replace(PATIENT, drain_octets=1 << 20))
    sent = 0
    with server.connect() as connection:
        connection.sendall(b"POST /early HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 300 << 20:
                connection.sendall(b"10000\r\n" + b"a" * 65_536 + b"\r\n")
                sent += 65_536
    assert sent < 20 << 20


def test_a_client_that_sends_no_more_still_gets_its_answer(start: Start) -> None:
    server = start(QUICK)
    with server.connect() as connection:
        connection.sendall(b"GET /hold HTTP/1.1\r\n" + HOST + b"\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert server.echo.held.wait(10)
        server.release()
        assert statuses(read_all(connection)) == [200]


def test_half_a_body_and_no_more_gets_no_answer(start: Start) -> None:
    server = start(QUICK)
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 10\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""


def test_a_body_that_trickles_is_refused(start: Start) -> None:
    server = start(replace(PATIENT, body_seconds=0.5, linger_seconds=0.5))
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 100000\r\n\r\n")
        assert_refused(trickle(connection, b"a" * 300), 408, "requestTimeout")


def test_a_large_body_that_keeps_coming_gets_its_time(start: Start) -> None:
    server = start(replace(PATIENT, body_seconds=0.3, body_rate=1_000))
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 8000\r\n\r\n")
        for _ in range(16):
            connection.sendall(b"a" * 500)
            time.sleep(0.05)
        assert statuses(read_answer(connection)) == [200]


def test_a_body_that_has_no_end_is_refused_in_the_end(start: Start) -> None:
    limits = replace(PATIENT, body_seconds=0.2, body_rate=10, body_longest_seconds=0.5)
    server = start(replace(limits, linger_seconds=0.5))
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 100000\r\n\r\n")
        started = time.monotonic()
        assert_refused(trickle(connection, b"a" * 300), 408, "requestTimeout")
        assert time.monotonic() - started > 0.4


def test_a_body_that_never_comes_is_refused(start: Start) -> None:
    server = start(replace(PATIENT, body_seconds=0.5, linger_seconds=0.5))
    with server.connect() as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        assert_refused(read_all(connection), 408, "requestTimeout")


def test_a_body_that_trickles_after_an_early_answer_is_cut_off(start: Start) -> None:
    server = start(replace(QUICK, idle_seconds=20.0))
    with server.connect() as connection:
        connection.sendall(b"POST /early HTTP/1.1\r\n" + HOST + b"Content-Length: 900\r\n\r\n")
        assert statuses(read_answer(connection)) == [200]
        assert trickle(connection, b"a" * 300) == b""


def test_after_an_early_answer_and_its_body_the_idle_time_runs(start: Start) -> None:
    server = start(replace(QUICK, head_seconds=20.0, linger_seconds=20.0))
    with server.connect() as connection:
        connection.sendall(b"POST /early HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\n")
        assert statuses(read_answer(connection)) == [200]
        connection.sendall(b"abc")
        assert read_all(connection) == b""


def test_a_spoilt_body_ends_the_application_without_a_request(start: Start) -> None:
    server = start(QUICK)
    assert_refused(exchange(server, POST + CHUNKED + b"\r\n3\r\nabcdef\r\n"), 400, "badRequest")
    server.stop()
    assert server.echo.ended == server.echo.asked


def test_a_failing_application_is_answered_for(start: Start) -> None:
    answer = exchange(start(QUICK), GET.replace(b"/ ", b"/fail ", 1))
    assert_refused(answer, 500, "internalServerError")


def test_a_request_in_flight_is_finished_when_the_server_stops(start: Start) -> None:
    server = start(replace(PATIENT, stop_seconds=10))
    with server.connect() as connection, server.connect() as idle:
        connection.sendall(GET.replace(b"/ ", b"/hold ", 1))
        assert server.echo.held.wait(10)
        server.begin_to_stop()
        assert read_all(idle) == b""
        server.release()
        answer = read_all(connection)
    assert statuses(answer) == [200]
    assert b"\r\nconnection: close\r\n" in answer
    assert server.stop() < 5
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_a_request_that_does_not_end_is_cancelled_within_the_grace(start: Start) -> None:
    server = start(replace(PATIENT, stop_seconds=1))
    with server.connect() as connection:
        connection.sendall(GET.replace(b"/ ", b"/hold ", 1))
        assert server.echo.held.wait(10)
        assert server.stop() < 5
        assert statuses(read_all(connection)) in ([500], [])
    assert server.echo.ended == ["/hold"]


def test_a_client_that_goes_away_ends_nothing_else(start: Start) -> None:
    server = start(QUICK)
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 900\r\n\r\nabc")
    assert statuses(exchange(server, GET)) == [200]


def test_a_port_in_use_is_one_plain_sentence() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ListenError, match=f"127.0.0.1:{port}: the port is in use"):
            bind("127.0.0.1", port)


def test_an_address_of_another_machine_is_one_plain_sentence() -> None:
    with pytest.raises(ListenError, match=r"192\.0\.2\.1:0: this machine has no such address"):
        bind("192.0.2.1", 0)


@pytest.mark.parametrize("host", ["no such name", "a" * 70, "é" * 64])
def test_a_host_that_is_none_is_one_plain_sentence(host: str) -> None:
    with pytest.raises(ListenError, match="no such host name"):
        bind(host, 0)


def test_any_address_takes_ipv4_too() -> None:
    with bind("::", 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            assert connection.getpeername()[1] == port
