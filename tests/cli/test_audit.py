"""`audit list` and `audit export`, by the real program."""

import csv
import json
import stat
from typing import Any

import pytest

from tests.cli.program import ADMIN, Program
from tests.cli.test_portals import SEVERAL
from tests.journeys.served import serving

FIELDS = ["id", "at", "portal", "actor", "address", "requestId", "action", "subject", "details"]
FIRST = ["portal.created", "user.created", "key.created"]


def exported(program: Program, *arguments: str) -> list[dict[str, Any]]:
    ended = program("audit", "export", *arguments)
    assert (ended.code, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]


def test_what_was_done_is_listed_newest_first(installed: Program) -> None:
    assert installed("portal", "create", "acme", **SEVERAL).code == 0
    rows = installed("audit", "list", "--json").json()
    assert [row["action"] for row in rows] == ["portal.created", *reversed(FIRST)]
    assert [list(row) for row in rows] == [FIELDS] * 4
    assert (rows[0]["portal"], rows[0]["actor"], rows[0]["details"]) == ("acme", "operator", {})
    for options, count in (
        (("--portal", "acme"), 1),
        (("--action", "user.created", "--since", "1 hour ago"), 1),
        (("--by", "Operator", "--until", "2100-01-01T00:00:00Z"), 4),
        (("--until", "1 hour ago"), 0),
    ):
        assert len(installed("audit", "list", *options, "--json").json()) == count
    shown = installed("audit", "list", "--limit", "2")
    headings, first, second = shown.out.splitlines()
    assert headings.split("\t") == ["AT", "PORTAL", "BY", "FROM", "ACTION", "SUBJECT", "DETAILS"]
    assert first.split("\t")[1:] == ["acme", "operator", "", "portal.created", "acme", ""]
    assert ADMIN in second
    assert shown.err == "There are more: give --limit above 2, or --since.\n"


def test_an_export_goes_on_where_the_last_one_stopped(installed: Program) -> None:
    first = exported(installed)
    assert [event["action"] for event in first] == FIRST
    assert [list(event) for event in first] == [FIELDS] * 3
    last = first[-1]["id"]
    assert exported(installed, "--after", last) == []
    assert installed("user", "create", "shop@example.com").code == 0
    (event,) = exported(installed, "--after", last)
    assert (event["action"], event["subject"]) == ("user.created", "shop@example.com")
    assert exported(installed, "--after", first[0]["id"], "--action", "user.created") == [
        first[1],
        event,
    ]


def test_a_file_is_new_and_its_owners_alone(installed: Program) -> None:
    made = installed("audit", "export", "--output", "audit.jsonl", "--json")
    events = exported(installed)
    assert made.json() == {"file": "audit.jsonl", "events": 3, "lastId": events[-1]["id"]}
    file = installed.folder / "audit.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    assert [json.loads(line) for line in before.splitlines()] == events
    installed("audit", "export", "-o", "audit.jsonl").assert_one_line(4, "there already")
    assert file.read_bytes() == before
    ended = installed("audit", "export", "-o", "more.jsonl", "--after", events[-1]["id"])
    assert ended.out.splitlines()[0] == "0 events are in more.jsonl."
    assert (installed.folder / "more.jsonl").read_bytes() == b""


def test_on_a_terminal_it_is_told_how_to_go_on(installed: Program) -> None:
    last = exported(installed)[-1]["id"]
    told = installed.at_terminal("audit", "export", "-o", "audit.jsonl").out
    assert told.endswith(f"What comes next: smarthost audit export --after {last}\n")


def test_a_sheet_computes_nothing_of_what_somebody_has_typed(installed: Program) -> None:
    name = "=HYPERLINK(1;2)"
    made = installed("key", "create", "--name", name, "--permission", "send", "--json").json()
    assert installed("user", "create", "=1+1@example.com").code == 0
    ended = installed("audit", "export", "--format", "csv")
    header, *rows = csv.reader(ended.out.splitlines())
    assert header == FIELDS
    assert len(rows) == 5
    found = dict(zip(header, rows[-2], strict=True))
    assert (found["subject"], json.loads(found["details"])["name"]) == (made["id"], name)
    assert dict(zip(header, rows[-1], strict=True))["subject"] == "'=1+1@example.com"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("export", "--after", "4711", "-o", "x"), 1, "no event 4711"),
        (("export", "--portal", "nobody", "-o", "x"), 1, "no portal named nobody"),
        (("export", "--since", "yesterday", "-o", "x"), 2, "--since: Write it as"),
        (("list", "--until", "tomorrow"), 2, "--until: Write it as"),
        (("export", "--format", "csv", "--json"), 2, "--json: Standard output"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_file(
    untouched: Program, arguments: tuple[str, ...], code: int, words: str
) -> None:
    untouched("audit", *arguments).assert_one_line(code, words)
    assert not (untouched.folder / "x").exists()


def test_who_signs_in_is_known_with_address_and_request_and_without_a_secret(
    installed: Program,
) -> None:
    password = "CANARY-7c1f password"
    assert installed("user", "password", ADMIN, "--password-stdin", typed=password).code == 0
    body = json.dumps({"userName": ADMIN, "password": password}).encode()
    with serving(installed) as service:
        client = service.client("")
        reply = client.ask("POST", "/api/2.0/authentication", body)
        token = reply.json()["response"]["token"]
    (event,) = exported(installed, "--action", "session.started")
    assert (event["actor"], event["subject"]) == (ADMIN, ADMIN)
    assert event["address"] == "127.0.0.1"
    assert event["requestId"]
    assert token.split("_")[1] == event["details"]["session"]
    everything = installed("audit", "export").out + installed("audit", "list").out
    for secret in (password, token, token.split("_", 2)[2]):
        assert secret not in everything
