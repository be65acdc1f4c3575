"""Several processes on one data directory: what one has answered, the next reads at once."""

import contextlib
import json
from collections.abc import Iterator

import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.bodies import LOGIN, PASSWORD
from tests.contract.process import Process
from tests.contract.service import SETTINGS
from tests.journeys.served import serving, started


@pytest.fixture
def pair(program: Program, key: str) -> Iterator[tuple[Process, Process]]:
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(serving(program)) for _ in range(2))
        yield first.client(key), second.client(key)


def test_a_save_at_one_is_read_at_the_other_in_the_very_next_request(
    pair: tuple[Process, Process],
) -> None:
    for number in range(1, 201):
        here, there = pair if number % 2 else pair[::-1]
        saved = here.ask("POST", SETTINGS, json.dumps({**LOGIN, "port": number}).encode())
        read = there.ask("GET", SETTINGS)

        assert (saved.status, saved.headers["ETag"]) == (200, f'"{number}"')
        assert read.headers["ETag"] == saved.headers["ETag"]
        assert read.json()["response"]["port"] == number
        assert read.json()["response"] == saved.json()["response"]


def test_what_one_has_seen_the_other_knows_to_be_old(pair: tuple[Process, Process]) -> None:
    here, there = pair
    seen = here.ask("GET", SETTINGS).headers["ETag"]
    assert there.post(json.dumps(LOGIN).encode())[0] == 200

    late = here.ask("POST", SETTINGS, json.dumps({**LOGIN, "port": 1}).encode(), If_Match=seen)
    assert late.status == 412
    assert here.ask("GET", SETTINGS).json()["response"]["port"] == LOGIN["port"]


def test_a_key_revoked_at_one_opens_nothing_at_the_other(
    program: Program, pair: tuple[Process, Process]
) -> None:
    here, there = pair
    assert {one.ask("GET", SETTINGS).status for one in pair} == {200}
    revoked = here.ask("DELETE", f"/api/2.0/keys/{here.key.split('_')[1]}")
    assert revoked.status == 200
    assert there.ask("GET", SETTINGS).status == 401


def test_of_first_starts_at_the_same_moment_one_makes_the_installation_and_all_serve(
    program: Program,
) -> None:
    with contextlib.ExitStack() as stack:
        services = [
            stack.enter_context(started(program, SMARTHOST_ADMIN_EMAIL=ADMIN)) for _ in range(5)
        ]
        for service in services:
            service.wait_for("serving")
        key = (program.data_dir / "first-key").read_text().strip()
        assert [one.client(key).ask("GET", SETTINGS).status for one in services] == [200] * 5
        for service in services:
            service.stop()
        assert sum("curl " in "\n".join(one.printed) for one in services) == 1


def test_the_command_line_reads_and_writes_beside_a_running_service(
    program: Program, pair: tuple[Process, Process]
) -> None:
    for number in range(1, 6):
        body = {**LOGIN, "port": number}
        assert pair[number % 2].post(json.dumps(body).encode())[0] == 200
        shown = program("settings", "show", "--json")
        assert (shown.code, shown.json()["port"]) == (0, number)

        line = ("--host", LOGIN["host"], "--sender-address", ADMIN, "--port", f"{1000 + number}")
        saved = program(
            *("settings", "save", "--json", "--ssl", "--user-name", "postman", *line),
            "--password-stdin",
            typed=PASSWORD,
        )
        assert saved.code == 0, saved.err
        for service in pair:
            assert service.ask("GET", SETTINGS).json()["response"] == saved.json()
