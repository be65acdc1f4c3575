"""Connections that cost much and give nothing: memory stays flat, honest people are served."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.contract.bodies import LOGIN
from tests.contract.process import Process
from tests.contract.service import SETTINGS
from tests.journeys.served import serving

MIB = 1 << 20
MOST_GROWTH = 20 * MIB
HONEST_SECONDS = 2.0

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are read from /proc"
)


@pytest.fixture
def client(program: Program, key: str) -> Iterator[Process]:
    """An administrator of a service that is warm, and stays within its memory."""
    with serving(program, SMARTHOST_LOG_LEVEL="info") as service:
        client = service.client(key)
        for _ in range(50):
            _ask_honestly(client)
        client.forget_peak()
        before = client.peak()
        yield client
        _ask_honestly(client)
        assert client.peak() - before <= MOST_GROWTH


def test_300_megabytes_of_headers_are_not_kept(client: Process) -> None:
    abusers = [threading.Thread(target=_send_endless_head, args=(client.port,)) for _ in range(4)]
    with _running(abusers):
        _ask_honestly_while(abusers, client)


def test_ten_megabytes_of_body_from_many_at_once_are_not_kept(client: Process) -> None:
    abusers = [threading.Thread(target=_send_large_body, args=(client,)) for _ in range(20)]
    with _running(abusers):
        _ask_honestly_while(abusers, client)


def test_200_slow_connections_keep_nobody_waiting(client: Process) -> None:
    body = json.dumps(LOGIN).encode()
    request = (
        f"POST {SETTINGS} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", client.port), timeout=30))
            for _ in range(200)
        ]
        # Half of them never come to the end of the head, half never to that of the body.
        begun = [0 if number % 2 else request.index(b"\r\n\r\n") + 4 for number in range(200)]
        for octet in range(30):
            for connection, start in zip(connections, begun, strict=True):
                part = (
                    slice(0, start + 1) if octet == 0 else slice(start + octet, start + octet + 1)
                )
                connection.sendall(request[part])
            _ask_honestly(client)
        # They were merely slow: once they hurry, they are served too.
        for connection, start in zip(connections[:20], begun, strict=False):
            connection.sendall(request[start + 30 :])
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_200_saves_at_once_are_all_answered(client: Process) -> None:
    answered: list[int] = []

    def save(number: int) -> None:
        body = json.dumps({**LOGIN, "port": number}).encode()
        answered.append(client.post(body)[0])

    savers = [threading.Thread(target=save, args=(number,)) for number in range(1, 201)]
    with _running(savers):
        pass
    assert answered == [200] * 200
    assert client.ask("GET", SETTINGS).headers["ETag"] == '"200"'


@contextlib.contextmanager
def _running(threads: list[threading.Thread]) -> Iterator[None]:
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()


def _ask_honestly_while(abusers: list[threading.Thread], client: Process) -> None:
    _ask_honestly(client)
    while any(abuser.is_alive() for abuser in abusers):
        _ask_honestly(client)


def _ask_honestly(client: Process) -> None:
    before = time.monotonic()
    assert client.ask("GET", SETTINGS).status == 200
    assert time.monotonic() - before < HONEST_SECONDS


def _send_endless_head(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(300 * 16):
                connection.sendall(b"a" * 65_536)
            pytest.fail("all of it was taken")


def _send_large_body(client: Process) -> None:
    body = b'{"host":"' + b"a" * (10 * MIB) + b'"}'
    head = (
        f"POST {SETTINGS} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        f"{len(body):x}\r\n"
    )
    with socket.create_connection(("127.0.0.1", client.port), timeout=30) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head.encode() + body + b"\r\n0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            answer = connection.recv(65_536)
            assert not answer or answer.startswith(b"HTTP/1.1 413 ")
