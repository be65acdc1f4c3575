"""`serve --processes`: several processes on one port each, of which any may die."""

import contextlib
import itertools
import json
import os
import random
import signal
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.bodies import LOGIN
from tests.contract.service import EMAILS, SETTINGS
from tests.engines import make_database
from tests.journeys.application import Application, email
from tests.journeys.killing_workers import kill_workers
from tests.journeys.served import PATIENCE, Served, serving
from tests.journeys.sink import running_sink
from tests.metrics.exposed import OPENMETRICS, families
from tests.processes import wait_until_ended

THREE = ("--processes", "3")
KILLS = 6


def workers(service: Served, count: int) -> list[int]:
    """Return the processes of the workers as they began first."""
    return [service.wait_for("worker serves", worker=one)["pid"] for one in range(1, count + 1)]


@pytest.fixture
def service(program: Program) -> Iterator[Served]:
    with serving(program, *THREE, SMARTHOST_ADMIN_EMAIL=ADMIN) as service:
        yield service


@pytest.fixture
def key(program: Program, service: Served) -> str:
    """The key that the first start of `service` has made."""
    assert service.wait_for("serving")
    return (program.data_dir / "first-key").read_text().strip()


def test_workers_that_are_killed_in_turn_lose_nothing_and_the_ports_go_on(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    account = kill_workers(tmp_path / "one", 3, KILLS, seed)
    print(account)  # noqa: T201 - so is this
    assert account.accepted > 20 * account.seconds, "or it was no load"
    assert account.submitted > KILLS, "by SMTP too"


def test_all_answer_on_one_port_and_each_shows_what_all_have_counted(
    service: Served, key: str
) -> None:
    asked = 0
    seen: dict[str, float] = {}
    # Whoever is idle takes the next connection, so all do, sooner or later.
    while len(seen) < 3:
        assert asked < 2000
        with contextlib.ExitStack() as open_ones:
            for _ in range(10):
                connection = HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
                open_ones.callback(connection.close)
                connection.request("GET", SETTINGS, headers={"Authorization": key})
                assert connection.getresponse().status == 200
                asked += 1
        seen = _reads(service, key)
    assert sum(seen.values()) == asked
    assert sum("Smarthost is at" in line for line in service.printed) == 1
    status = Path(f"/proc/{service.pid}/status").read_text()
    assert "Threads:\t1\n" in status, "only so is it safe to fork"


def _reads(service: Served, key: str) -> dict[str, float]:
    """Return how many reads of the settings each worker has answered, as any of them tells it."""
    told = families(service.client(key).ask("GET", "/metrics", Accept=OPENMETRICS).body)
    workers = {one.labels["worker"] for one in told["process_start_time_seconds"].samples}
    assert workers == {"1", "2", "3"}
    assert all("worker" not in one.labels for one in told["smarthost_queue_recipients"].samples)
    return {
        one.labels["worker"]: one.value
        for one in told["smarthost_http_requests"].samples
        if (one.labels["route"], one.labels["method"]) == (SETTINGS, "GET")
    }


def test_mail_is_delivered_by_the_first_worker_and_by_its_successor(
    service: Served, key: str
) -> None:
    with running_sink() as sink:
        application = Application(process=service.client(key))
        application.save(sink.port, ADMIN)
        service.wait_for("delivering")
        for number in range(10):
            assert application.ask("POST", EMAILS, email(subject=f"n{number}")).status == 200
        sink.wait_for(10)
        os.kill(workers(service, 3)[0], signal.SIGKILL)
        service.wait_many(2, "delivering")
        assert application.ask("POST", EMAILS, email(subject="after it")).status == 200
        sink.wait_for(11)


@pytest.mark.needs("postgres")
def test_several_processes_on_a_server_of_postgresql(program: Program, tmp_path: Path) -> None:
    on_server = {"SMARTHOST_DATABASE_URL": make_database(tmp_path)}
    with (
        running_sink() as sink,
        serving(program, *THREE, SMARTHOST_ADMIN_EMAIL=ADMIN, **on_server) as service,
    ):
        key = (program.data_dir / "first-key").read_text().strip()
        application = Application(process=service.client(key))
        application.save(sink.port, ADMIN)
        for number in range(5):
            assert application.ask("POST", EMAILS, email(subject=f"n{number}")).status == 200
        sink.wait_for(5)
        service.wait_many(3, "delivering")
        os.kill(workers(service, 3)[0], signal.SIGKILL)
        service.wait_many(4, "delivering")
        assert application.ask("POST", EMAILS, email(subject="after it")).status == 200
        sink.wait_for(6)


def test_the_limit_of_requests_is_one_for_all(program: Program) -> None:
    given = {"SMARTHOST_RATE_LIMITS": "on", "SMARTHOST_ADMIN_EMAIL": ADMIN}
    with serving(program, *THREE, **given) as service:
        remaining = [
            int(service.client("").ask("GET", SETTINGS).headers["X-RateLimit-Remaining"])
            for _ in range(30)
        ]
    # The next minute may have begun in between.
    falls = [before - after for before, after in itertools.pairwise(remaining)]
    assert sorted(falls)[1:] == [1] * 28


def test_a_stop_finishes_what_is_under_way_in_every_worker(
    program: Program, service: Served, key: str
) -> None:
    body = json.dumps({**LOGIN, "port": 1}).encode()
    head = (
        f"POST {SETTINGS} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Expect: 100-continue\r\n\r\n"
    )
    with contextlib.ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), PATIENCE))
            for _ in range(12)
        ]
        for connection in connections:
            connection.sendall(head.encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
        service.send(signal.SIGTERM)
        for connection in connections:
            connection.sendall(body)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK\r\n")
        assert service.ended() == 0
        assert json.loads(service.log[-1])["event"] == "stopped"
    assert program("settings", "show", "--json").json()["port"] == 1


def test_nobody_is_left_of_a_service_whose_first_process_is_killed(service: Served) -> None:
    pids = workers(service, 3)
    service.kill()  # returns when nobody has the log open any more
    wait_until_ended(pids)


def test_what_is_wrong_at_the_start_is_one_line(program: Program) -> None:
    ended = program("serve", *THREE)
    assert ended.code == 3
    assert "There is no installation" in ended.err


def test_a_process_does_what_its_roles_say(program: Program) -> None:
    key = program.init()
    with (
        running_sink() as sink,
        serving(program, "--roles", "http") as web,
        serving(program, "--roles", "delivery,submission") as mail,
    ):
        application = Application(process=web.client(key))
        application.save(sink.port, ADMIN)
        assert application.ask("POST", EMAILS, email()).status == 200
        sink.wait_for(1)
        assert web.wait_for("serving")["smtp"] is None
        assert not web.events("delivering")
        socket.create_connection(("127.0.0.1", mail.smtp_port), PATIENCE).close()
        watched = mail.client(key)
        assert [
            watched.ask("GET", path).status for path in ("/healthz", "/readyz", "/metrics")
        ] == [
            200,
            200,
            200,
        ]
        assert watched.ask("GET", SETTINGS).status == 404
        doctor = program("doctor", "--json", SMARTHOST_HTTP_LISTEN=f"127.0.0.1:{mail.port}")
        (address,) = [one for one in doctor.json() if one["check"] == "HTTP address"]
        assert address["message"] == "A running Smarthost holds it."


def test_roles_that_leave_a_process_without_work_are_refused(program: Program) -> None:
    ended = program("serve", "--roles", "delivery", "--processes", "2")
    ended.assert_one_line(2, "On SQLite one process delivers for all")
    program("serve", "--roles", "smtp").assert_one_line(2, "There is no role 'smtp'")
