"""Huge, deep and endless requests: refused by their size, in memory that stays flat.

The service is a process of its own here, so that its memory is nobody else's.
"""

import contextlib
import gzip
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.bodies import LOGIN
from tests.contract.process import Process
from tests.contract.service import AUTHENTICATION, SETTINGS

MIB = 1 << 20
MOST_GROWTH = 20 * MIB
TEXT_FIELDS = [
    "host", "port", "senderAddress", "senderDisplayName", "credentialsUserName",
    "credentialsUserPassword", "enableSSL",
]  # fmt: skip

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are read from /proc"
)


@pytest.fixture(autouse=True)
def flat_memory(process: Process) -> Iterator[None]:
    """Every test here ends with the memory that it began with, give or take."""
    process.forget_peak()
    before = process.peak()
    yield
    assert process.peak() - before <= MOST_GROWTH


@pytest.mark.parametrize("field", TEXT_FIELDS)
def test_ten_megabytes_in_a_field_are_413(process: Process, field: str) -> None:
    body = json.dumps({**LOGIN, field: "a" * (10 * MIB)}).encode()

    assert process.post(body)[0] == 413


@pytest.mark.parametrize("field", TEXT_FIELDS)
@pytest.mark.parametrize(
    "unit", ["a", ".", "a.", "@", "a@", '"', '\\"', "\u00e4", "xn--", "[", ":", "<", " ", "\u0130"]
)
def test_the_longest_text_that_is_read_is_refused_at_once(
    process: Process, field: str, unit: str
) -> None:
    text = unit * (50_000 // len(json.dumps(unit, ensure_ascii=False).encode()))
    body = json.dumps({**LOGIN, field: text}, ensure_ascii=False).encode()
    started = time.monotonic()
    status, answer = process.post(body)

    assert status == 400
    assert set(json.loads(answer)["response"]["errors"]) == {field}
    # A backtracking parser would need minutes.
    assert time.monotonic() - started < 2.0


@pytest.mark.parametrize("unit", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("octets", [60_000, 6_000_000])
def test_depth_is_refused(process: Process, unit: bytes, octets: int) -> None:
    for body in (
        unit * (octets // len(unit)),
        b'{"host":' + unit * ((octets - 10) // len(unit)),
    ):
        assert process.post(body)[0] == (400 if octets < 64 * 1024 else 413)


def test_balanced_depth_is_refused(process: Process) -> None:
    for depth in (500, 900, 5_000, 30_000):
        body = b'{"host":' + b"[" * depth + b"]" * depth + b"}"

        assert process.post(body)[0] == 400


def test_a_compressed_bomb_is_not_opened(process: Process) -> None:
    bomb = gzip.compress(b" " * (64 * MIB))

    assert process.post(bomb, Content_Encoding="gzip")[0] == 415


def test_an_endless_body_is_cut_off(process: Process) -> None:
    head = (
        f"POST {SETTINGS} HTTP/1.1\r\nHost: x\r\nAuthorization: {process.key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", process.port), timeout=30) as connection:
        connection.sendall(head.encode())
        with contextlib.suppress(ConnectionError):
            while sent < 256 * MIB:
                connection.sendall(chunk)
                sent += len(chunk)
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = connection.recv(65_536)

    assert sent < 64 * MIB
    assert answer.startswith(b"HTTP/1.1 413 ") or not answer


def test_a_body_that_is_announced_as_endless_is_not_waited_for(process: Process) -> None:
    head = (
        f"POST {SETTINGS} HTTP/1.1\r\nHost: x\r\nAuthorization: {process.key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 10000000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", process.port), timeout=30) as connection:
        connection.sendall(head.encode() + b"{")

        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_unknown_fields_is_answered_shortly(process: Process) -> None:
    names = (f"{number:x}" for number in range(5_000))
    status, answer = process.post(b"{%b}" % ",".join(f'"{n}":1' for n in names).encode())

    assert status == 400
    assert len(answer) < 8 * 64 * 1024


def test_headers_of_every_request_are_not_kept(process: Process) -> None:
    for number in range(300):
        padding = f";{number}" + "x" * 60_000
        status, _ = process.post(b"{}", AUTHENTICATION, Accept=f"*/*{padding}")
        assert status == 400
        status, _ = process.post(b"{}", AUTHENTICATION, Content_Type=f"application/json{padding}")
        assert status == 400
