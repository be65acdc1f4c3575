"""`settings test`, with and without a service that delivers."""

from tests.cli.program import ADMIN, Program
from tests.contract.relays import Inbox, refuse_login, running_relay
from tests.journeys.served import serving

TEST = ("settings", "test")


def save(program: Program, port: int, *more: str, typed: str = "") -> None:
    line = ("--host", "localhost", "--port", str(port), "--sender-address", ADMIN, *more)
    ended = program("settings", "save", *line, typed=typed)
    assert ended.code == 0, ended.err


def test_without_a_service_the_command_delivers_itself(installed: Program) -> None:
    inbox = Inbox()
    with running_relay(inbox) as relay:
        save(installed, relay.port)
        ended = installed(*TEST)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"The test message to {ADMIN} was taken.\n"
    assert inbox.recipients == [f"<{ADMIN}>"]


def test_beside_a_service_that_one_delivers(installed: Program) -> None:
    inbox = Inbox()
    with running_relay(inbox) as relay, serving(installed):
        save(installed, relay.port)
        ended = installed(*TEST, "--json")
    assert ended.code == 0
    state = ended.json()
    assert (state["completed"], state["percents"], state["error"]) == (True, 100, "")
    assert len(inbox.messages) == 1


def test_it_goes_to_the_user_that_is_named(installed: Program) -> None:
    assert installed("user", "create", "anna@example.org").code == 0
    inbox = Inbox()
    with running_relay(inbox) as relay:
        save(installed, relay.port)
        assert installed(*TEST, "--as", "anna@example.org").code == 0
    assert inbox.recipients == ["<anna@example.org>"]


def test_a_failure_is_1_and_explained(installed: Program) -> None:
    with running_relay(refuse_login) as relay:
        save(installed, relay.port, "--user-name", "u", "--password-stdin", typed="CANARY-99")
        told = installed(*TEST)
        state = installed(*TEST, "--json")
    assert (told.code, state.code) == (1, 1)
    assert told.err == ""
    assert told.out.strip() == state.json()["error"]
    assert "535 5.7.8" in told.out
    assert "CANARY" not in told.out + told.err
    assert (state.json()["percents"], state.json()["status"]) == (60, "Authenticate")


def test_without_a_relay_it_is_1_at_once(installed: Program) -> None:
    ended = installed(*TEST)
    assert ended.code == 1
    assert ended.out.startswith("No mail server is saved.")


def test_at_a_terminal_a_bar_names_the_stage(installed: Program) -> None:
    with running_relay(Inbox()) as relay:
        save(installed, relay.port)
        ended = installed.at_terminal(*TEST, term="xterm")
    assert ended.code == 0
    assert "Create mime message" in ended.out
    assert "was taken" in ended.out
