"""The service stops when it is told to: in order, soon, and with nothing half done."""

import contextlib
import json
import random
import signal
import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import apsw
import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.bodies import LOGIN
from tests.contract.events import steps, streamed
from tests.contract.relays import Silent, running_relay
from tests.contract.service import SETTINGS
from tests.journeys.served import PATIENCE, Served, serving, started

GRACE_SECONDS = 5
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


@SIGNALS
def test_an_idle_service_stops_at_once_and_starts_again(
    program: Program, key: str, number: signal.Signals
) -> None:
    with serving(program) as service:
        assert service.client(key).post(json.dumps(LOGIN).encode())[0] == 200
        # A connection that is kept open is no reason to wait.
        with socket.create_connection(("127.0.0.1", service.port)) as idle:
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(65_536)
            before = time.monotonic()
            service.stop(number)
            assert time.monotonic() - before < GRACE_SECONDS - 1
    assert sorted(path.name for path in program.data_dir.iterdir()) == [
        "delivery.lock",
        "keyring.json",
        "smarthost.db",
    ]
    with serving(program) as again:
        read = again.client(key).ask("GET", SETTINGS)
        assert read.json()["response"]["host"] == LOGIN["host"]


@SIGNALS
def test_a_save_in_flight_is_answered_and_kept(
    program: Program, key: str, number: signal.Signals
) -> None:
    with serving(program) as service, _half_a_save(service, key) as (connection, rest):
        service.send(number)
        _wait_until_refused(service.port)
        connection.sendall(rest)
        answer = _read_to_end(connection)
        assert service.ended() == 0
        assert json.loads(service.log[-1])["event"] == "stopped"
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert program("settings", "show", "--json").json()["host"] == LOGIN["host"]


def test_a_request_that_never_ends_is_cut_off_after_the_grace(program: Program, key: str) -> None:
    with serving(program) as service, _half_a_save(service, key) as (connection, _):
        before = time.monotonic()
        service.stop()
        assert GRACE_SECONDS - 1 < time.monotonic() - before < GRACE_SECONDS + 3
        assert not _read_to_end(connection).startswith(b"HTTP/1.1 200")
    assert program("settings", "show", "--json").json()["isDefaultSettings"] is True


def test_a_stream_of_events_ends_at_once_and_says_why(program: Program, key: str) -> None:
    silent = Silent()
    with running_relay(silent) as relay, serving(program) as service:
        body = {"host": "127.0.0.1", "port": relay.port, "senderAddress": "notify@example.com"}
        connection = HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
        path, given = f"{SETTINGS}/check/events", {"Authorization": key}
        with streamed(connection, "POST", path, body, given) as stream:
            while steps([stream.next()]) != ["greeting begin"]:
                pass
            before = time.monotonic()
            service.stop()
            assert time.monotonic() - before < GRACE_SECONDS - 1
            (last,) = list(stream)
        assert silent.left.wait(PATIENCE)
    assert (last.name, last.value["statusCode"]) == ("error", 503)


def test_a_check_that_waits_for_its_relay_ends_at_once_and_says_why(
    program: Program, key: str
) -> None:
    silent = Silent()
    with running_relay(silent) as relay, serving(program) as service:
        body = {"host": "127.0.0.1", "port": relay.port, "senderAddress": "notify@example.com"}
        connection = HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
        given = {"Authorization": key, "Content-Type": "application/json"}
        with contextlib.closing(connection):
            connection.request("POST", f"{SETTINGS}/check", json.dumps(body), given)
            assert silent.reached.wait(PATIENCE)
            before = time.monotonic()
            service.stop()
            assert time.monotonic() - before < GRACE_SECONDS - 1
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert silent.left.wait(PATIENCE)


def test_a_stop_while_the_start_waits_for_the_store_is_in_order(
    program: Program, key: str
) -> None:
    store = apsw.Connection(str(program.data_dir / "smarthost.db"))
    with contextlib.closing(store), started(program) as service:
        store.execute("BEGIN IMMEDIATE")
        _wait_until_caught(service, signal.SIGTERM)
        service.send(signal.SIGTERM)
        store.execute("ROLLBACK")
        assert service.ended() == 0
        assert json.loads(service.log[-1])["event"] == "stopped"


def test_a_stop_at_any_moment_of_the_first_start_leaves_what_can_be_started(
    program: Program,
) -> None:
    chance = random.Random()
    for _ in range(12):
        with started(program, SMARTHOST_ADMIN_EMAIL=ADMIN) as service:
            time.sleep(chance.uniform(0.05, 0.6))
            service.send(signal.SIGTERM)
            code = service.ended()
            log = "\n".join(service.log)
        assert code in (0, -signal.SIGTERM), log
        assert "Traceback" not in log
        if code == 0:
            assert json.loads(service.log[-1])["event"] == "stopped"
    with serving(program, SMARTHOST_ADMIN_EMAIL=ADMIN) as service:
        assert service.client("").ask("GET", "/readyz").status == 200


@pytest.mark.parametrize("processes", ["1", "2"])
def test_while_it_drains_it_says_so_and_serves(program: Program, key: str, processes: str) -> None:
    with serving(program, "--processes", processes, SMARTHOST_DRAIN_SECONDS="1") as service:
        client = service.client(key)
        assert client.ask("GET", "/readyz").status == 200
        service.send(signal.SIGTERM)
        service.wait_many(int(processes), "draining")
        ready = client.ask("GET", "/readyz")
        assert (ready.status, ready.json()["status"]) == (503, "not ready")
        assert client.ask("GET", "/healthz").status == 200
        assert client.post(json.dumps(LOGIN).encode())[0] == 200
        assert service.ended() == 0
    assert program("settings", "show", "--json").json()["host"] == LOGIN["host"]


@contextlib.contextmanager
def _half_a_save(service: Served, key: str) -> Iterator[tuple[socket.socket, bytes]]:
    """Begin a save of which the service has read the head; give the connection and the rest."""
    body = json.dumps(LOGIN).encode()
    head = (
        f"POST {SETTINGS} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as connection:
        connection.sendall(head.encode())
        # It asks for the body once the end point reads it (RFC 9110 section 10.1.1).
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body[:10])
        yield connection, body[10:]


def _read_to_end(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def _wait_until_refused(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue
        time.sleep(0.01)
    pytest.fail("connections are still taken")


def _wait_until_caught(service: Served, number: signal.Signals) -> None:
    """Wait until the process has a handler of its own for the signal (proc_pid_status(5))."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        status = Path(f"/proc/{service.pid}/status").read_text()
        (caught,) = [line for line in status.splitlines() if line.startswith("SigCgt:")]
        if int(caught.split()[1], 16) >> (number - 1) & 1:
            return
        time.sleep(0.01)
    pytest.fail("the signal is never caught")
