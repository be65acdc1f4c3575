"""`messages`: what was accepted is found again, explained, and changed."""

from contextlib import closing
from typing import Any

import apsw
import pytest

from smarthost.cli.messages import print_page
from smarthost.mail_queue.mail_log.model import Page
from tests.cli.mailboxes import Mailboxes
from tests.cli.program import ADMIN, Program
from tests.cli.test_settings_test import save
from tests.contract.relays import running_relay
from tests.mail_queue.mail_log.rows import MessageRow, RecipientRow, add

ANNA, BO = "anna@example.org", "bo@example.org"
NOBODY = "01a20468-4c81-7568-b9c7-f3a45b943b40"


def send(program: Program, *arguments: str) -> str:
    ended = program("send", "--text", "Hello", *arguments)
    assert ended.code == 0, ended.err
    return ended.out.strip()


def listed(program: Program, *arguments: str) -> list[str]:
    ended = program("messages", "list", "--json", *arguments)
    assert ended.code == 0, ended.err
    return [message["id"] for message in ended.json()["data"]]


def states(program: Program, message_id: str) -> dict[str, str]:
    value = program("messages", "show", message_id, "--json").json()
    return {one["address"]: one["state"] for one in value["recipients"]}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, str, str]:
    """Return an installation that has sent to Anna and failed to reach Bo, and both ids."""
    program = Program(folder=tmp_path_factory.mktemp("two"))
    program.init()
    with running_relay(Mailboxes({BO: "550 5.1.1 No such user"})) as relay:
        save(program, relay.port)
        to_anna = program("send", "--wait", "--text", "x", "-s", "First", ANNA)
        to_bo = program("send", "--wait", "--text", "x", "-s", "Second", BO)
    assert (to_anna.code, to_bo.code) == (0, 1)
    return program, to_anna.out.splitlines()[0], to_bo.out.splitlines()[0]


def test_they_are_listed_newest_first(two: tuple[Program, str, str]) -> None:
    program, first, second = two
    lines = [line.split("\t") for line in program("messages", "list").out.splitlines()]
    assert lines[0] == ["ID", "ACCEPTED", "STATE", "TO", "SUBJECT"]
    assert [line[0] for line in lines[1:]] == [second, first]
    assert [line[2:] for line in lines[1:]] == [["failed", BO, "Second"], ["sent", ANNA, "First"]]


def test_as_json_it_is_the_apis_list(two: tuple[Program, str, str]) -> None:
    program, _, second = two
    value = program("messages", "list", "--limit", "1", "--json").json()
    assert (value["object"], value["has_more"]) == ("list", True)
    assert [message["id"] for message in value["data"]] == [second]
    assert value["data"][0]["last_event"] == "failed"


def test_what_is_listed_can_be_narrowed(two: tuple[Program, str, str]) -> None:
    program, first, second = two
    assert listed(program, "--state", "sent") == [first]
    assert listed(program, "--state", "failed", "--state", "held") == [second]
    assert listed(program, "--to", "bo@EXAMPLE.org") == [second]
    assert listed(program, "--since", "1 hour ago") == [second, first]
    assert listed(program, "--since", "2100-01-01T00:00:00Z") == []
    assert listed(program, "--until", "1 hour ago") == []
    assert listed(program, "--until", "2100-01-01T00:00:00Z") == [second, first]
    assert listed(program, "--search", "SECOND bo@") == [second]
    assert listed(program, "--search", "nowhere") == []


def test_more_than_are_shown_are_told_of(two: tuple[Program, str, str]) -> None:
    program, *_ = two
    ended = program("messages", "list", "--limit", "1")
    assert len(ended.out.splitlines()) == 2
    assert "There are more" in ended.err


def test_more_than_a_page_is_listed(installed: Program) -> None:
    mail = [
        MessageRow(number=number, milliseconds=number, recipients=[RecipientRow(address=ANNA)])
        for number in range(250)
    ]
    with closing(apsw.Connection(str(installed.data_dir / "smarthost.db"))) as database:
        [(portal_id,)] = database.execute("SELECT id FROM portals").fetchall()
        add(database, str(portal_id), mail)
    value = installed("messages", "list", "--limit", "220", "--json").json()
    assert [one["id"] for one in value["data"]] == [one.id for one in mail[:29:-1]]
    assert (value["has_more"], value["next"]) == (True, mail[30].id)
    assert listed(installed, "--limit", "1000", "--to", ANNA) == [one.id for one in mail[::-1]]


def test_how_far_it_was_looked_is_told_with_how_to_look_further(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_page(Page(messages=[], next="01a20468-4c81-7568-b9c7-f3a45b943b40"), 20)
    told = capsys.readouterr()
    assert told.out == "ID\tACCEPTED\tSTATE\tTO\tSUBJECT\n"
    assert "--until 2026-11-22T17:58:53Z" in told.err


@pytest.mark.parametrize(
    "line",
    [
        ["--since", "yesterday"], ["--until", "soon"], ["--to", "a@@b"], ["--state", "lost"],
        ["--limit", "0"], ["--search", ""], ["--search", "\udcff"],
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_2(two: tuple[Program, str, str], line: list[str]) -> None:
    program, *_ = two
    ended = program("messages", "list", *line)
    assert (ended.code, ended.out) == (2, "")
    assert line[0] in ended.err or "@" in ended.err


def test_a_failure_is_explained_with_its_attempt(two: tuple[Program, str, str]) -> None:
    program, _, second = two
    lines = program("messages", "show", second).out.splitlines()
    facts = dict(line.split(":", 1) for line in lines[: lines.index("")])
    assert facts["accepted"].strip().endswith("UTC by operator")
    assert (facts["from"].strip(), facts["to"].strip()) == (ADMIN, BO)
    told = "\n".join(lines[lines.index("") :])
    assert f"\n{BO}: failed at " in told
    assert "\n  1. " in told
    assert "localhost:" in told
    assert "(127.0.0.1, settings 1): refused after " in told
    assert "550 5.1.1 No such user" in told


def test_what_was_taken_is_shown_with_the_relays_answer(two: tuple[Program, str, str]) -> None:
    program, first, _ = two
    assert "     250 2.0.0 Queued as 4711" in program("messages", "show", first).out.splitlines()


def test_as_json_it_is_the_apis_email_with_its_attempts(two: tuple[Program, str, str]) -> None:
    program, _, second = two
    value: dict[str, Any] = program("messages", "show", second.upper(), "--json").json()
    assert (value["object"], value["id"], value["text"]) == ("email", second, "x\n")
    [attempt] = value["attempts"]
    assert (attempt["outcome"], attempt["failure"]["who"]) == ("refused", "recipient")


@pytest.mark.parametrize("command", ["show", "retry", "cancel", "release"])
@pytest.mark.parametrize("message_id", [NOBODY, "7", "\udcff"])
def test_what_is_not_there_is_1(
    two: tuple[Program, str, str], command: str, message_id: str
) -> None:
    ended = two[0]("messages", command, message_id)
    ended.assert_one_line(1, "There is no such message.")


@pytest.mark.parametrize(
    ("command", "which", "why"),
    [
        ("retry", 1, "sent already"),
        ("cancel", 1, "sent already"),
        ("cancel", 2, "failed already"),
        ("release", 2, "not held"),
    ],
)
def test_what_cannot_be_done_is_4_and_says_why(
    two: tuple[Program, str, str], command: str, which: int, why: str
) -> None:
    ended = two[0]("messages", command, str(two[which]))
    ended.assert_one_line(4, why)


@pytest.mark.parametrize("line", [[], [NOBODY, "--all"]])
def test_either_ids_or_all_are_needed(two: tuple[Program, str, str], line: list[str]) -> None:
    two[0]("messages", "retry", *line).assert_one_line(2, "--all")


def test_what_can_be_done_is_done_though_the_rest_cannot(installed: Program) -> None:
    save(installed, 9)
    first, second = send(installed, ANNA), send(installed, BO)
    ended = installed("messages", "cancel", first, NOBODY, second, first)
    assert ended.code == 1
    assert ended.out == f"{first} is cancelled.\n{second} is cancelled.\n"
    assert ended.err == f"smarthost: {NOBODY}: There is no such message.\n"
    again = installed("messages", "cancel", first, NOBODY, "--json")
    assert (again.code, again.json()) == (4, [])


def test_all_that_wait_are_cancelled(installed: Program) -> None:
    save(installed, 9)
    ids = {send(installed, ANNA), send(installed, BO, "--at", "in 1 hour")}
    assert installed("messages", "cancel", "--all").out == "2 messages are cancelled.\n"
    assert installed("messages", "cancel", "--all").out == "No messages are cancelled.\n"
    assert {state for one in ids for state in states(installed, one).values()} == {"cancelled"}


def test_all_that_failed_are_tried_again(installed: Program) -> None:
    answers = {BO: "550 5.1.1 No such user"}
    with running_relay(Mailboxes(answers)) as relay:
        save(installed, relay.port)
        failed = installed("send", "--wait", "--text", "x", ANNA, BO).out.splitlines()[0]
    assert states(installed, failed) == {ANNA: "sent", BO: "failed"}
    ended = installed("messages", "retry", "--all", "--json")
    assert ended.json() == [{"object": "email", "id": failed}]
    assert states(installed, failed) == {ANNA: "sent", BO: "queued"}
    assert "\t1 queued, 1 sent\t" in installed("messages", "list").out


def test_what_a_person_has_to_decide_about_is_told_and_released(installed: Program) -> None:
    save(installed, 9)
    message_id = send(installed, ANNA)
    with closing(apsw.Connection(str(installed.data_dir / "smarthost.db"))) as database:
        database.execute("UPDATE recipients SET state='held', held_for='restored', due_at=NULL")
    told = installed("messages", "show", message_id).out
    assert f"{ANNA}: held, since it comes out of a back-up" in told
    assert f"smarthost messages release {message_id}" in told
    installed("messages", "retry", message_id).assert_one_line(4, "Release it")
    assert installed("messages", "release", "--all").out == "1 message is released.\n"
    assert states(installed, message_id) == {ANNA: "queued"}


def test_the_audit_tells_in_whose_name_it_was_done(installed: Program) -> None:
    save(installed, 9)
    message_id = send(installed, ANNA)
    refused = installed("messages", "cancel", message_id, "--as", "nobody@example.com")
    refused.assert_one_line(1, "no user nobody@example.com")
    assert installed("messages", "cancel", message_id, "--as", ADMIN).code == 0
    with closing(apsw.Connection(str(installed.data_dir / "smarthost.db"))) as database:
        events = database.execute(
            "SELECT actor, action FROM audit_events WHERE subject = ?", (message_id,)
        ).fetchall()
    assert events == [(f"operator as {ADMIN}", "message.cancelled")]
