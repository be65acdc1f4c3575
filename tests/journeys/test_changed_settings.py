"""The test mail arrives, the real mail does not: here there is one way, and all mail takes it.

What was saved last is what the next message goes through, whoever saved it and whoever sends;
and what waits for a relay that lets nobody in goes out as soon as it does.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.cli.program import ADMIN, Program
from tests.contract.service import SETTINGS
from tests.journeys.application import Application, login
from tests.journeys.reconciled import assert_ledger_closes, rows
from tests.journeys.served import serving
from tests.journeys.sink import Sink, running_sink, until

SOON_SECONDS = 2.0
USER, PASSWORD, WRONG = "postman", "Correct-Horse-7", "Wrong-Horse-7"

Pair = tuple[Application, Application]


@pytest.fixture
def pair(program: Program, key: str) -> Iterator[Pair]:
    """Two services on one data directory; only one of them delivers."""
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(serving(program)) for _ in range(2))
        yield Application(process=first.client(key)), Application(process=second.client(key))


def _test(application: Application) -> dict[str, Any]:
    """Send a test message and return its last state."""
    began = application.ask("GET", f"{SETTINGS}/test").json()["response"]
    state: dict[str, Any] = began

    def is_over() -> bool:
        nonlocal state
        state = application.ask("GET", f"{SETTINGS}/test/status").json()["response"]
        return bool(state["completed"])

    until(is_over)
    assert state["id"] == began["id"]
    return state


def _save_here(pair: Pair, _program: Program, port: int) -> int:
    return pair[0].save(port, ADMIN)


def _save_there(pair: Pair, _program: Program, port: int) -> int:
    return pair[1].save(port, ADMIN)


def _save_by_command(pair: Pair, program: Program, port: int) -> int:
    line = ("--host", "localhost", "--port", str(port), "--sender-address", ADMIN)
    assert program("settings", "save", *line).code == 0
    return int(pair[0].ask("GET", SETTINGS).headers["ETag"].strip('"'))


def _send_here(pair: Pair, _program: Program) -> str:
    return pair[0].send()


def _send_there(pair: Pair, _program: Program) -> str:
    return pair[1].send()


def _send_by_command(_pair: Pair, program: Program) -> str:
    line = ("--to", "jane@example.net", "--subject", "Hello", "--text", "It works.")
    sent = program("send", *line, "--json")
    assert sent.code == 0, sent.err
    return str(sent.json()["id"])


def _send_a_test(pair: Pair, _program: Program) -> str:
    return str(_test(pair[1])["id"])


SAVES: list[Callable[[Pair, Program, int], int]] = [_save_here, _save_there, _save_by_command]
SENDS = [_send_here, _send_there, _send_by_command, _send_a_test]


def test_the_next_message_takes_the_relay_that_was_saved_last_from_every_process(
    program: Program, pair: Pair
) -> None:
    expected = {}
    with running_sink() as old, running_sink() as new:
        for round_, save in enumerate(SAVES):
            for sink in (old, new):
                revision = save(pair, program, sink.port)
                for send in SENDS[round_:] + SENDS[:round_]:
                    count = len(sink.taken)
                    message_id = send(pair, program)
                    assert len(sink.wait_for(count + 1)) == count + 1
                    expected[message_id] = (revision, "localhost", sink.port, "accepted")
        assert len(old.taken) == len(new.taken) == len(SAVES) * len(SENDS)

    def is_all_recorded() -> bool:
        return rows(program.data_dir, "SELECT count(*) FROM attempts") == [(len(expected),)]

    until(is_all_recorded)
    found = rows(
        program.data_dir,
        "SELECT message_id, revision, relay_host, relay_port, result FROM attempts",
    )
    assert {row[0]: tuple(row[1:]) for row in found} == expected, "tests and mail alike"
    for application in pair:
        for message_id in list(expected)[:2]:
            (attempt,) = application.attempts(message_id)
            assert (attempt["revision"], attempt["relay"], attempt["outcome"]) == (
                expected[message_id][0],
                f"localhost:{expected[message_id][2]}",
                "accepted",
            )


def test_of_mail_that_is_on_its_way_what_is_tried_later_takes_the_new_relay(
    program: Program, pair: Pair
) -> None:
    here, there = pair
    with running_sink(pause=lambda: 0.005) as old, running_sink() as new:
        first = here.save(old.port, ADMIN)
        here.send_many(1_000)
        old.wait_for(20)
        second = there.save(new.port, ADMIN)
        answered = time.time_ns() // 1000
        until(lambda: len(old.taken) + len(new.taken) == 1_000)
        assert new.taken
        late = "SELECT DISTINCT revision FROM attempts WHERE started_at > ?"
        until(partial(_is_idle, program))
        assert rows(program.data_dir, late, answered) == [(second,)]
        revisions = rows(program.data_dir, "SELECT DISTINCT revision FROM attempts ORDER BY 1")
        assert revisions == [(first,), (second,)]
    assert_ledger_closes(program.data_dir)


def _is_idle(program: Program) -> bool:
    waiting = "SELECT count(*) FROM recipients WHERE due_at IS NOT NULL"
    return rows(program.data_dir, waiting) == [(0,)]


def _on_hold(application: Application, sink: Sink, count: int) -> list[str]:
    """Send mail that the relay lets nobody in for."""
    ids = application.send_many(count)
    until(lambda: application.health()["state"] == "held")
    health = application.health()
    assert (health["failure"]["code"], health["queued"]) == ("login_refused", count)
    assert sink.taken == []
    # One was tried, and all the others wait for the relay, not for a time of their own.
    assert sink.refused_logins <= 10
    return ids


def _arrive_soon(sink: Sink, count: int, application: Application) -> None:
    sink.wait_for(1, SOON_SECONDS)
    sink.wait_for(count)
    until(lambda: application.health()["queued"] == 0)
    assert application.health()["state"] == "ok"


@pytest.mark.parametrize("by_command", [False, True])
def test_a_password_put_right_lets_the_waiting_mail_go_at_once(
    program: Program, pair: Pair, by_command: bool
) -> None:
    here, there = pair
    with running_sink({USER: PASSWORD}) as sink:
        there.save(sink.port, ADMIN, **login(USER, WRONG))
        ids = _on_hold(here, sink, 5)
        if by_command:
            line = ("--host", "localhost", "--port", str(sink.port), "--sender-address", ADMIN)
            given = ("--user-name", USER, "--password-stdin")
            assert program("settings", "save", *line, *given, typed=PASSWORD).code == 0
        else:
            there.save(sink.port, ADMIN, **login(USER, PASSWORD))
        _arrive_soon(sink, len(ids), here)


def test_a_test_that_goes_well_lets_the_waiting_mail_go_at_once(pair: Pair) -> None:
    here, there = pair
    with running_sink({USER: WRONG}) as sink:
        here.save(sink.port, ADMIN, **login(USER, PASSWORD))
        _on_hold(here, sink, 5)
        assert _test(there)["percents"] < 100
        assert here.health()["state"] == "held"
        sink.accounts[USER] = PASSWORD  # put right where the provider keeps it
        assert _test(there)["percents"] == 100
        _arrive_soon(sink, 1 + 5, here)
