"""`settings check`: what is shown, what is saved, and how it ends."""

from typing import Any

from tests.cli.program import ADMIN, Ended, Program
from tests.contract.relays import refuse_login, running_relay
from tests.smtp.relays import Peer

CHECK = ("settings", "check")
STEPS = ["resolve", "connect", "greeting", "ehlo", "tls", "authenticate", "sender", "recipient"]
PASSWORD = "CANARY-99"


async def willing(peer: Peer) -> None:
    """Play a relay that would take mail, with any login."""
    await peer.greet("AUTH PLAIN", "SIZE 1000000")
    if (await peer.hear()).startswith("AUTH"):
        await peer.say("235 2.7.0 Ok")
        await peer.hear("MAIL FROM:")
    await peer.say("250 2.1.0 Ok")
    await peer.hear("RCPT TO:")
    await peer.say("250 2.1.5 Ok")
    await peer.forget()


async def silent(peer: Peer) -> None:
    """Play a relay that takes the connection and says nothing."""
    assert await peer.is_left()


def line(port: int, *more: str) -> tuple[str, ...]:
    return ("--host", "127.0.0.1", "--port", str(port), "--sender-address", ADMIN, *more)


LOGIN = ("--user-name", "u", "--password-stdin")


def in_force(program: Program) -> Any:
    return program("settings", "show", "--json").json()


def steps(ended: Ended) -> list[str]:
    """The first cells of what is printed without a terminal."""
    rows = ended.out.partition("\n\n")[0].splitlines()
    assert rows[0] == "STEP\tSTATE\tTIME\tSEEN"
    return [row.partition("\t")[0] for row in rows[1:]]


def test_typed_settings_are_checked_and_not_saved(installed: Program) -> None:
    with running_relay(willing) as relay:
        ended = installed(*CHECK, *line(relay.port))
    assert (ended.code, ended.err) == (0, "")
    assert steps(ended) == STEPS
    assert "connect\tok\t" in ended.out
    assert f"127.0.0.1 port {relay.port}" in ended.out
    assert "login by PLAIN; at most 1,000,000 octets" in ended.out
    assert "These settings work. They are not saved.\n" in ended.out
    assert "Warning: The connection to 127.0.0.1 is not encrypted." in ended.out
    assert in_force(installed)["isDefaultSettings"] is True


def test_what_passed_is_saved_if_that_was_asked_for_and_checked_again_as_stored(
    installed: Program,
) -> None:
    with running_relay(willing) as relay:
        saving = (*line(relay.port, *LOGIN), "--save", "--if-revision", "0")
        saved = installed(*CHECK, *saving, typed=PASSWORD)
        stored = installed(*CHECK)
        again = installed(*CHECK, *saving, typed=PASSWORD)
    assert saved.code == 0, saved.err
    assert "These settings work, and are saved as revision 1.\n" in saved.out
    assert in_force(installed)["port"] == relay.port
    assert stored.code == 0, stored.err
    assert "authenticate\twarning\t" in stored.out
    assert "These settings work.\n" in stored.out
    assert "Warning: The password goes to 127.0.0.1 in clear." in stored.out
    again.assert_one_line(4, "revision 1")
    assert PASSWORD not in saved.out + stored.out


def test_a_failure_is_1_and_has_the_code_and_words_of_the_test(installed: Program) -> None:
    with running_relay(refuse_login) as relay:
        options = line(relay.port, *LOGIN)
        told = installed(*CHECK, *options, "--save", typed=PASSWORD)
        assert in_force(installed)["isDefaultSettings"] is True
        assert installed("settings", "save", *options, typed=PASSWORD).code == 0
        answer = installed(*CHECK, "--json")
        sent = installed("settings", "test")
    assert (told.code, answer.code, sent.code) == (1, 1, 1)
    assert "authenticate\tfailed\t" in told.out
    assert "recipient\tskipped\t\t\n" in told.out
    assert "127.0.0.1 refused the login.\n" in told.out
    assert "  The mail server said: 535 5.7.8 Authentication failed\n" in told.out
    assert PASSWORD not in told.out + told.err + answer.out
    checked = answer.json()
    failure = checked["failure"]
    assert (checked["ok"], checked["saved"], checked["revision"]) == (False, False, 1)
    assert (failure["step"], failure["code"]) == ("authenticate", "login_refused")
    assert [step["step"] for step in checked["steps"]] == STEPS
    assert checked["steps"][2]["seen"] == {"banner": "220 relay.example.com ESMTP"}
    words = f"{failure['title']}. {failure['why']} {failure['fix']}"
    assert sent.out == f"{words} The mail server said: {failure['reply']}\n"


def test_it_is_done_for_the_user_that_is_named(installed: Program) -> None:
    assert installed("user", "create", "anna@example.org").code == 0
    with running_relay(willing) as relay:
        ended = installed(
            *CHECK, *line(relay.port), "--save", "--as", "anna@example.org", "--json"
        )
    assert ended.code == 0, ended.err
    assert b"RCPT TO:<anna@example.org>\r\n" in relay.peers[0].lines
    assert "operator as anna@example.org" in installed("audit", "list").out


def test_what_cannot_be_right_is_2_and_named_by_its_option(installed: Program) -> None:
    ended = installed(*CHECK, "--host", "smtp://a.test", "--port", "0")
    assert (ended.code, ended.out) == (2, "")
    assert [told.split(": ")[1] for told in ended.err.splitlines()] == [
        "--host",
        "--port",
        "--sender-address",
    ]
    installed(*CHECK, "--save").assert_one_line(2, "--save: there is nothing to save")


def test_without_settings_there_is_nothing_to_check(untouched: Program) -> None:
    untouched(*CHECK).assert_one_line(1, "There is nothing to check")


def test_a_suspended_portal_connects_nowhere(installed: Program) -> None:
    assert installed("portal", "suspend", "default").code == 0
    installed(*CHECK, *line(25)).assert_one_line(1, "suspended")


def test_at_a_terminal_the_table_is_drawn_as_it_fills(installed: Program) -> None:
    with running_relay(willing) as relay:
        ended = installed.at_terminal(
            *CHECK, *line(relay.port), "--user-name", "u", answers=(f"{PASSWORD}\n",), term="xterm"
        )
    assert ended.code == 0, ended.out
    assert "greeting" in ended.out
    assert "…" in ended.out  # a step that runs
    assert "These settings work. They are not saved." in ended.out
    assert PASSWORD not in ended.out


def test_ctrl_c_ends_it(installed: Program) -> None:
    with running_relay(silent) as relay:
        ended = installed.at_terminal(
            *CHECK, *line(relay.port), press=("greeting", "\x03"), term="xterm"
        )
    assert ended.code == 130
    assert "Traceback" not in ended.out
